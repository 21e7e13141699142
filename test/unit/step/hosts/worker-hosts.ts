import { vi } from 'vitest';
import { TaskWorker } from '../../../../src/container/task-worker.ts';
import { STEP_HANDLER } from '../../../../src/lambda/handler-marks.ts';
import { sqsStepHandler } from '../../../../src/lambda/index.ts';
import { sqsQueues } from '../../../../src/lambda/worker-queues.ts';
import type { PayloadStore } from '../../../../src/payloads/payload-store.ts';
import { Sender } from '../../../../src/sqs/sender.ts';
import type { StandardSchemaV1 } from '../../../../src/step/standard-schema.ts';
import type { ServedStep } from '../../../../src/step/step-tasks.ts';
import { systemTiming } from '../../../../src/time.ts';
import type { RemoteTask } from '../../../../src/wire/remote-task.ts';
import { capturingLogger } from '../../../support/capturing-logger.ts';
import { contextOf, eventOf, recordOf } from '../../../support/sqs-records.ts';
import { FakeSqs } from '../../transport/fake-sqs.ts';

/**
 * The two hosts of the step core, each with a message to handle. What a worker does between a task and its result is
 * the same on both, and so are the tests of it. Time is faked: {@link WorkerRun.pass} lets it pass.
 */

export interface Step {
  readonly run: ServedStep['run'];
  readonly input?: StandardSchemaV1;
  readonly output?: StandardSchemaV1;
}

export interface WorkerOptions {
  readonly steps?: Readonly<Record<string, ServedStep['run'] | Step>>;
  readonly payloadStore?: PayloadStore;
  readonly marker?: string;
  readonly resultsQueue?: string;
}

export interface Delivered {
  readonly attributes?: Readonly<Record<string, string>>;
  readonly receiveCount?: number;
}

export interface WorkerRun {
  readonly sqs: FakeSqs;
  readonly logger: ReturnType<typeof capturingLogger>;
  /** Results on the results queue, as JSON. */
  results(): unknown[];
  /** Whether SQS will deliver the message again; undefined while it is at work. */
  redelivers(): boolean | undefined;
  pass(ms?: number): Promise<void>;
}

export interface WorkerHost {
  readonly name: string;
  /** What this host adds to the fields of a log line. */
  readonly fields: object;
  /** Delivers one message and lets happen what needs no time. */
  handle(message: RemoteTask | string, options?: WorkerOptions, delivered?: Delivered): Promise<WorkerRun>;
}

export const RESULTS = 'durable-results';
const TASKS = 'durable-tasks-step';

const STEPS = { step: (input: unknown) => input };
const timing = { ...systemTiming, random: () => 1 };
const pass = async (ms = 0): Promise<void> => {
  await vi.advanceTimersByTimeAsync(ms);
};

const lambda: WorkerHost = {
  name: 'Lambda',
  fields: { requestId: 'request' },
  async handle(message, { steps = STEPS, payloadStore, marker, resultsQueue = RESULTS } = {}, { attributes = {}, receiveCount = 1 } = {}) {
    const sqs = new FakeSqs(resultsQueue);
    const logger = capturingLogger();
    const options = { logger, ...(payloadStore === undefined ? {} : { payloadStore }), ...(marker === undefined ? {} : { marker }) };
    const queues = sqsQueues({ prefix: 'durable', resultsQueueUrl: FakeSqs.url(resultsQueue), open: async () => sqs, timing });
    const messageAttributes = Object.fromEntries(
      Object.entries(attributes).map(([name, stringValue]) => [name, { dataType: 'String' as const, stringValue }]),
    );
    const record = recordOf(message, { messageId: 'm1', receiveCount, messageAttributes });
    const handler = sqsStepHandler(steps, options);
    let redelivers: boolean | undefined;
    void handler[STEP_HANDLER].invoke(eventOf(record), contextOf(), queues).then(
      ({ batchItemFailures }) => {
        redelivers = batchItemFailures.length > 0;
      },
      () => {
        redelivers = true;
      },
    );
    await pass();
    return { sqs, logger, pass, results: () => sqs.bodies(resultsQueue), redelivers: () => redelivers };
  },
};

const container: WorkerHost = {
  name: 'a container',
  fields: {},
  async handle(message, { steps = STEPS, payloadStore, marker, resultsQueue = RESULTS } = {}, { attributes = {}, receiveCount = 1 } = {}) {
    const sqs = new FakeSqs(TASKS, resultsQueue);
    const logger = capturingLogger();
    const served = Object.entries(steps).map(([name, step]): [string, ServedStep] => [
      name,
      typeof step === 'function' ? { run: step } : step,
    ]);
    sqs.put(TASKS, message, attributes, receiveCount - 1);
    const worker = new TaskWorker({
      api: sqs,
      sender: new Sender(sqs),
      queueUrl: async () => FakeSqs.url(TASKS),
      resultsQueueUrl: async () => FakeSqs.url(resultsQueue),
      steps: new Map(served),
      concurrency: 10,
      waitTimeSeconds: 20,
      // Longer than any test: a message that is redelivered stays in its queue.
      visibilityTimeoutSeconds: 43_200,
      marker,
      payloadStore,
      onError: () => undefined,
      logger,
      timing,
    });
    worker.start();
    await pass();
    // One delivery is enough.
    void worker.stop();
    await pass();
    let atWork = true;
    void worker.settled().then(() => {
      atWork = false;
    });
    await pass();
    return {
      sqs,
      logger,
      pass,
      results: () => sqs.bodies(resultsQueue),
      redelivers: () => (atWork ? undefined : sqs.messages(TASKS).length > 0),
    };
  },
};

export const HOSTS: readonly WorkerHost[] = [lambda, container];
