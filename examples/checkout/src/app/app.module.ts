import { DurableModule } from '@dudousxd/nestjs-durable';
import { WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { DurableDashboardModule } from '@dudousxd/nestjs-durable-dashboard';
import { MikroOrmStateStore } from '@dudousxd/nestjs-durable-store-mikro-orm';
import { MikroORM } from '@mikro-orm/postgresql';
import { Module, type OnModuleInit } from '@nestjs/common';
import { SqsTransport } from 'durable-sqs-lambda/engine';
import { payloadStore } from '../payloads.ts';
import { CheckoutWorkflow } from './checkout.workflow.ts';
import { DatabaseModule } from './database.module.ts';
import { LostTasks } from './lost-tasks.ts';
import { OrdersController } from './orders.controller.ts';
import { settings } from './settings.ts';

const transport = new SqsTransport({ autoStart: false, consumeTasks: false, payloadStore });

@Module({
  imports: [
    DatabaseModule,
    DurableModule.forRootAsync({
      inject: [MikroORM],
      useFactory: (orm: MikroORM) => ({
        store: new MikroOrmStateStore(orm),
        transport,
        leaseMs: settings.LEASE_SECONDS * 1_000,
      }),
    }),
    // It asks nobody for a password: see its option `dashboardAuth` before it is reachable from elsewhere.
    DurableDashboardModule.forRoot({ basePath: '/durable' }),
  ],
  controllers: [OrdersController],
  providers: [CheckoutWorkflow, LostTasks],
})
export class AppModule implements OnModuleInit {
  constructor(engine: WorkflowEngine) {
    transport.attach(engine);
  }

  /** By now every workflow is registered, and no run has been resumed: a result that comes now finds its workflow. */
  onModuleInit(): void {
    transport.start();
  }
}
