import { SQSClient } from '@aws-sdk/client-sqs';
import { InMemoryStateStore, type StepHandler, type Transport, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import type { SqsTransportOptions as PublishedOptions, SqsTransport as PublishedTransport } from '@dudousxd/nestjs-durable-transport-sqs';
import { expectTypeOf } from 'vitest';
import { type ContainerStepFunction, SqsTransport, type SqsTransportOptions } from '../../src/index.ts';
import type { StepContext } from '../../src/step/step-context.ts';

// Compiled by `tsc`, never run.

const client = new SQSClient({ region: 'us-east-1' });
const store = new InMemoryStateStore();
declare function charge(orderId: string, amountCents: number): Promise<string>;

// --- the examples of the seed document, to the letter

new SqsTransport({ client: new SQSClient({ region: 'us-east-1' }), autoCreate: true });

const transport = new SqsTransport({ client, group: 'payments.charge-card' });
transport.handle('payments.charge-card', async ({ orderId, amountCents }) => ({
  chargeId: await charge(orderId, amountCents),
}));

new SqsTransport({
  client,
  group: 'payments.charge-card',
  taskQueueUrl: () => 'https://sqs.us-east-1.amazonaws.com/1234567890/orders-charge-card',
  resultsQueueUrl: 'https://sqs.us-east-1.amazonaws.com/1234567890/orders-results',
});

// "A literal URL or a resolver", for both.
new SqsTransport({
  client,
  taskQueueUrl: 'https://sqs.us-east-1.amazonaws.com/1234567890/orders-charge-card',
  resultsQueueUrl: async () => 'https://sqs.us-east-1.amazonaws.com/1234567890/orders-results',
});

// --- a drop-in for the published transport

expectTypeOf<PublishedOptions>().toExtend<SqsTransportOptions>();
declare const published: PublishedOptions;
new SqsTransport(published);
expectTypeOf<keyof PublishedOptions>().toExtend<keyof SqsTransportOptions>();
type Shared = Pick<SqsTransportOptions, keyof PublishedOptions>;
expectTypeOf<keyof Shared>().toEqualTypeOf<keyof PublishedOptions>();
const filledLater: SqsTransportOptions = {};
filledLater.client = client;
filledLater.autoCreate = true;
// What can be done with the published one can be done with this.
expectTypeOf<Pick<SqsTransport, keyof PublishedTransport>>().toExtend<Pick<PublishedTransport, keyof PublishedTransport>>();

// --- a transport of the engine

expectTypeOf<SqsTransport>().toExtend<Transport>();
const engine = new WorkflowEngine({ store, transport });
new WorkflowEngine({ store, transports: [{ id: 'sqs', transport }] });
expectTypeOf(transport.attach).toBeCallableWith(engine);
transport.attach(engine);
expectTypeOf(transport.close).toBeCallableWith({ timeoutMs: 0 });
expectTypeOf(transport.close()).toEqualTypeOf<Promise<void>>();

// --- handle

declare const stepHandler: StepHandler;
transport.handle('a', stepHandler);
transport.handle('a', stepHandler, 'tenant');
transport.handle('a', () => undefined);
transport.handle('a', async (input: { orderId: string }, step) => {
  expectTypeOf(step).toEqualTypeOf<StepContext>();
  expectTypeOf(step.signal).toEqualTypeOf<AbortSignal>();
  return input.orderId;
});
transport.handle<{ orderId: string }>('a', (input) => {
  expectTypeOf(input).toEqualTypeOf<{ orderId: string }>();
});
declare const typed: ContainerStepFunction<{ orderId: string }, { chargeId: string }>;
transport.handle('a', typed);
// @ts-expect-error a function is needed
transport.handle('a', { run: stepHandler });
// @ts-expect-error a name is needed
transport.handle(stepHandler);

// --- options

new SqsTransport();
new SqsTransport({
  clientConfig: { region: 'us-east-1' },
  namespace: 'eu',
  autoStart: false,
  consumeTasks: false,
  concurrency: 5,
  dispatchTimeoutMs: 1_000,
  resultHoldMs: 0,
  messageGroupId: (task) => {
    expectTypeOf(task.runId).toEqualTypeOf<string>();
    return undefined;
  },
  onError: (error) => {
    expectTypeOf(error).toBeUnknown();
  },
  logger: console,
});
// @ts-expect-error no such option
new SqsTransport({ prefixx: 'shop' });
// @ts-expect-error seconds, as a number
new SqsTransport({ waitTimeSeconds: '20' });
// @ts-expect-error a client
new SqsTransport({ client: { region: 'us-east-1' } });
// @ts-expect-error a URL or a function
new SqsTransport({ resultsQueueUrl: 5 });
// @ts-expect-error a string or nothing
new SqsTransport({ messageGroupId: () => 5 });

// What the environment may not hold, under `exactOptionalPropertyTypes`.
const fromEnvironment = process.env['DURABLE_PREFIX'];
new SqsTransport({ prefix: fromEnvironment, namespace: fromEnvironment, group: fromEnvironment, resultsQueueUrl: fromEnvironment });
