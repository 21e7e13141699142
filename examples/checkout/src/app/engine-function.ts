import 'reflect-metadata';
import { DurableModule } from '@dudousxd/nestjs-durable';
import { type Transport, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { MikroOrmStateStore } from '@dudousxd/nestjs-durable-store-mikro-orm';
import { MikroORM } from '@mikro-orm/postgresql';
import { type DynamicModule, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { sqsEngineHandler } from 'durable-sqs-lambda/engine-function';
import { payloadStore } from '../payloads.ts';
import { CheckoutWorkflow } from './checkout.workflow.ts';
import { DatabaseModule } from './database.module.ts';
import { settings } from './settings.ts';

@Module({})
class EngineModule {
  static with(transport: Transport): DynamicModule {
    const durable = DurableModule.forRootAsync({
      inject: [MikroORM],
      useFactory: (orm: MikroORM) => ({
        store: new MikroOrmStateStore(orm),
        transport,
        leaseMs: settings.LEASE_SECONDS * 1_000,
        // The mappings and the tick of this function do what the module's poller did.
        drive: false,
        // `npm run schema` made the tables, once; here every cold start would look for them.
        autoSchema: false,
      }),
    });
    return { module: EngineModule, imports: [DatabaseModule, durable], providers: [CheckoutWorkflow] };
  }
}

/** The engine in a function: an application without a server, made once for each environment of Lambda. */
export const handler = sqsEngineHandler(
  async (transport) => {
    const app = await NestFactory.createApplicationContext(EngineModule.with(transport), {
      abortOnError: false,
      logger: ['error', 'warn'],
    });
    return app.get(WorkflowEngine);
  },
  // A lost task is sent again: the function has no LostTasks, and needs none.
  { payloadStore, remoteRedispatchMs: settings.LOST_AFTER_SECONDS * 1_000 },
);
