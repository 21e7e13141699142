import { DurableModule } from '@dudousxd/nestjs-durable';
import { runSchedules, type ScheduledWorkflow, type StateStore, type Transport, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { type DynamicModule, type INestApplicationContext, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { sqsEngineHandler } from 'durable-sqs-lambda/engine-function';
import { CheckoutWorkflow } from './checkout.workflow.ts';
import { PaymentsSteps } from './payments.steps.ts';

const YEAR_MS = 365 * 24 * 3_600_000;
/** Begins one run a year: the id of a scheduled run is made of the window that it is of. */
const SCHEDULES: readonly ScheduledWorkflow[] = [
  {
    key: 'yearly',
    workflow: 'checkout',
    everyMs: YEAR_MS,
    input: { orderId: 'yearly', amountCents: 900, cardToken: 'tok_visa' },
  },
];

@Module({})
class EngineModule {
  static with(transport: Transport, store: StateStore): DynamicModule {
    return {
      module: EngineModule,
      imports: [DurableModule.forRoot({ store, transport, drive: false })],
      providers: [CheckoutWorkflow, PaymentsSteps],
    };
  }
}

/**
 * The engine in a function. A function of its own only because this program gives it a store; yours is `export const
 * handler`.
 */
export function engineFunction(store: StateStore) {
  return sqsEngineHandler(async (transport) => {
    const module = EngineModule.with(transport, store);
    const app = await NestFactory.createApplicationContext(module, { abortOnError: false, logger: ['error', 'warn'] });
    const engine = app.get(WorkflowEngine);
    return { engine, onTick: () => runSchedules(engine, SCHEDULES, Date.now()) };
  });
}

/**
 * The same with a module that polls, as it does where nobody says otherwise. Its apps are the caller's to close: their
 * timers go on.
 */
export function pollingEngineFunction(store: StateStore, apps: INestApplicationContext[]) {
  return sqsEngineHandler(async (transport) => {
    const imports = [DurableModule.forRoot({ store, transport })];
    const app = await NestFactory.createApplicationContext({ module: EngineModule, imports }, { abortOnError: false, logger: false });
    apps.push(app);
    return app.get(WorkflowEngine);
  });
}
