import { InMemoryStateStore, type WorkflowCtx, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { SqsTransport, type SqsTransportOptions, sqsStepHandler } from '../../src/index.ts';
import { createQueues, LocalEventSourceMapping, type LocalSqs } from '../../src/local/index.ts';
import { startTestSqs } from './sqs-server.ts';

export const silentLogger = { debug() {}, info() {}, warn() {}, error() {} };

export interface LocalCloudOptions {
  readonly store?: InMemoryStateStore;
  readonly attach?: boolean;
  readonly steps?: readonly string[];
  readonly transport?: SqsTransportOptions;
  readonly sqs?: LocalSqs;
}

/** The real engine, an SQS server, and one Lambda handler for every step behind local mappings. */
export interface LocalCloud {
  readonly sqs: LocalSqs;
  readonly engine: WorkflowEngine;
  readonly transport: SqsTransport;
  readonly store: InMemoryStateStore;
  /** How often each step id was run. */
  readonly runsOfStep: ReadonlyMap<string, number>;
  startWorkers(): void;
  close(): Promise<void>;
}

export async function localCloud(options: LocalCloudOptions = {}): Promise<LocalCloud> {
  const { store = new InMemoryStateStore(), attach = true, steps = ['test.one', 'test.two', 'test.three'] } = options;
  const sqs = options.sqs ?? (await startTestSqs());
  const { tasksQueueUrls, resultsQueueUrl } = await createQueues({ clientConfig: sqs.clientConfig, steps, functionTimeoutSeconds: 10 });
  const runsOfStep = new Map<string, number>();

  const handler = sqsStepHandler(Object.fromEntries(steps.map((step) => [step, async (input: unknown) => ({ step, input })])), {
    clientConfig: sqs.clientConfig,
    resultsQueueUrl,
    logger: silentLogger,
    around: (step, next) => {
      runsOfStep.set(step.task.stepId, (runsOfStep.get(step.task.stepId) ?? 0) + 1);
      return next();
    },
  });
  const mappings = [...tasksQueueUrls].map(
    ([functionName, queueUrl]) =>
      new LocalEventSourceMapping({
        clientConfig: sqs.clientConfig,
        queueUrl,
        handler,
        functionName,
        timeoutMs: 10_000,
        logger: silentLogger,
      }),
  );
  const transport = new SqsTransport({ clientConfig: sqs.clientConfig, waitTimeSeconds: 1, ...options.transport });
  const engine = new WorkflowEngine({ store, transport });
  if (attach) transport.attach(engine);

  return {
    sqs,
    engine,
    transport,
    store,
    runsOfStep,
    startWorkers() {
      for (const mapping of mappings) mapping.start();
    },
    async close() {
      await engine.drain();
      await Promise.all([transport.close(), ...mappings.map((mapping) => mapping.stop())]);
      if (options.sqs === undefined) await sqs.stop();
    },
  };
}

/**
 * A workflow of some steps in a row; with `timeoutMs` they are awaited in memory, as the engine does for such steps.
 */
export function stepsInARow(steps: readonly string[], timeoutMs?: number) {
  return async (ctx: WorkflowCtx, input: unknown) => {
    const outputs: unknown[] = [];
    for (const step of steps) outputs.push(await ctx.step(step, input, timeoutMs === undefined ? {} : { timeoutMs }));
    return outputs;
  };
}
