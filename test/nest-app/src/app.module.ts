import { DurableModule } from '@dudousxd/nestjs-durable';
// biome-ignore lint/style/useImportType: Nest injects by the class, which a type import would erase
import { type StateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { Module, type OnModuleInit } from '@nestjs/common';
import { SqsTransport } from 'durable-sqs-lambda';
import { CheckoutWorkflow } from './checkout.workflow.ts';
import { DepositWorkflow } from './deposit.workflow.ts';
import { PaymentsSteps } from './payments.steps.ts';

const steps = [PaymentsSteps];
const workflows = [CheckoutWorkflow, DepositWorkflow];

/**
 * The app. A function only because this program boots it several times; an app of your own has this once, without the
 * function.
 */
export function appModule(store: StateStore) {
  const transport = new SqsTransport({ autoStart: false, consumeTasks: false });

  @Module({
    imports: [DurableModule.forRoot({ store, transport, timerPollMs: 50 })],
    providers: [...workflows, ...steps],
  })
  class AppModule implements OnModuleInit {
    constructor(engine: WorkflowEngine) {
      transport.attach(engine);
    }

    // Nest initialises imported modules first: DurableModule has registered every workflow by now, and has not resumed
    // any run yet.
    onModuleInit() {
      transport.start();
    }
  }
  return AppModule;
}

/**
 * An app that only enqueues runs, as an API beside the workers: it never starts the transport, so it takes nobody's
 * results.
 */
export function apiModule(store: StateStore) {
  const transport = new SqsTransport({ autoStart: false, consumeTasks: false });

  @Module({ imports: [DurableModule.forRoot({ store, transport, drive: false })], providers: [...workflows, ...steps] })
  class ApiModule {}
  return ApiModule;
}
