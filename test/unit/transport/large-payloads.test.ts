import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TaskWorker } from '../../../src/container/task-worker.ts';
import { ConfigurationError, DispatchTimeoutError, PayloadStoreError, TaskTooLargeError } from '../../../src/errors.ts';
import { encodePointer } from '../../../src/payloads/pointer.ts';
import { QueueDirectory } from '../../../src/sqs/queue-directory.ts';
import { Sender } from '../../../src/sqs/sender.ts';
import { systemTiming } from '../../../src/time.ts';
import { Dispatcher } from '../../../src/transport/dispatcher.ts';
import { UnattachedEngine } from '../../../src/transport/engine/unattached-engine.ts';
import { ResultReceiver } from '../../../src/transport/results/result-receiver.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { denied, MemoryPayloads, unavailable } from '../../support/memory-payloads.ts';
import { taskFor } from '../../support/sqs-records.ts';
import { FakeSqs } from './fake-sqs.ts';

const TASKS = 'durable-tasks-step';
const RESULTS = 'durable-results';
const LARGE = 'x'.repeat(600);
const timing = { ...systemTiming, random: () => 1 };

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const pass = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

function setUp() {
  const sqs = new FakeSqs(TASKS, RESULTS);
  return { sqs, store: new MemoryPayloads(), logger: capturingLogger(), errors: Array.of<unknown>() };
}

describe('dispatch', () => {
  function dispatching(payloadStore?: MemoryPayloads) {
    const all = setUp();
    const queues = new QueueDirectory({ api: all.sqs, prefix: 'durable', autoCreate: false, stepTimeoutSeconds: 60 });
    const common = { namespace: undefined, marker: undefined, messageGroupId: undefined, timeoutMs: 120_000, timing };
    const store = payloadStore ?? all.store;
    const dispatcher = new Dispatcher({ ...common, sender: new Sender(all.sqs), queues, payloadStore: store, logger: all.logger });
    return { ...all, store, dispatcher };
  }

  it('stores a body that is too large for a message, under the ids of its step', async () => {
    const { sqs, store, dispatcher } = dispatching();
    const task = taskFor({ seq: 3, input: 'y'.repeat(2_000_000) });
    await dispatcher.send(task);
    expect(store.subjects).toEqual([{ kind: 'task', runId: 'run', stepId: 'run:3', seq: 3 }]);
    const [[key, body] = ['', '']] = store.objects;
    expect(JSON.parse(body)).toEqual(task);
    expect(sqs.messages(TASKS)).toMatchObject([
      {
        body: encodePointer({ bucket: 'bodies', key }),
        attributes: { ExtendedPayloadSize: { dataType: 'Number', value: String(body.length) } },
      },
    ]);
  });

  it('sends a small body as it is', async () => {
    const { sqs, store, dispatcher } = dispatching();
    await dispatcher.send(taskFor());
    expect(store.objects.size).toBe(0);
    expect(sqs.bodies(TASKS)).toEqual([taskFor()]);
  });

  it('tries again while the store does not answer, and stores a body once, however often SQS refuses', async () => {
    const { sqs, store, dispatcher, logger } = dispatching();
    store.fault = unavailable();
    let refusals = 2;
    sqs.entryFault = (operation) => {
      refusals -= 1;
      return operation === 'send' && refusals >= 0 ? { ok: false, sqsCode: 'InternalError', transient: true } : undefined;
    };
    const sent = dispatcher.send(taskFor({ input: LARGE }));
    await pass(1_000);
    store.fault = undefined;
    await pass(60_000);
    await sent;
    expect(store.objects.size).toBe(1);
    expect(sqs.messages(TASKS)).toHaveLength(1);
    expect(logger.lines[0]).toMatchObject({
      message: 'dispatch failed and is tried again',
      fields: { stepId: 'run:0', errorCode: 'payload_store' },
    });
  });

  it('gives up when its time is up, and at once where the store refuses', async () => {
    const { store, dispatcher } = dispatching();
    store.fault = unavailable();
    const late = expect(dispatcher.send(taskFor({ input: LARGE }))).rejects.toBeInstanceOf(DispatchTimeoutError);
    await pass(121_000);
    await late;
    store.fault = denied();
    await expect(dispatcher.send(taskFor({ input: LARGE }))).rejects.toBeInstanceOf(PayloadStoreError);
  });

  it('TaskTooLargeError says that there is a payloadStore option', () => {
    expect(new TaskTooLargeError(taskFor(), 2_000_000, 1_048_576).message).toContain('payloadStore');
  });
});

describe('a result whose body is stored', () => {
  function receiving(payloadStore?: MemoryPayloads) {
    const all = setUp();
    const handled: unknown[] = [];
    const engine = new UnattachedEngine(0);
    const receiver = new ResultReceiver({
      api: all.sqs,
      queues: { resultsQueueUrl: async () => FakeSqs.url(RESULTS) },
      waitTimeSeconds: 20,
      marker: undefined,
      payloadStore,
      session: { engine },
      decisionHandler: async () => undefined,
      maxHoldMs: 60_000,
      handler: async (result) => void handled.push(result),
      onError: (error) => all.errors.push(error),
      logger: all.logger,
      timing,
    });
    receiver.start();
    return { ...all, handled };
  }
  const result = { runId: 'run', seq: 0, stepId: 'run:0', status: 'completed', output: LARGE } as const;
  const stored = async (store: MemoryPayloads) =>
    encodePointer(await store.put(JSON.stringify(result), { kind: 'result', runId: 'run', stepId: 'run:0', seq: 0 }));

  it('a stored result is read and given to the engine', async () => {
    const store = new MemoryPayloads();
    const { sqs, handled } = receiving(store);
    sqs.put(RESULTS, await stored(store));
    await pass();
    expect(handled).toEqual([result]);
    expect(sqs.messages(RESULTS)).toEqual([]);
  });

  it.each([
    ['is denied', denied()],
    ['cannot be had now', unavailable()],
    ['is missing', new PayloadStoreError('missing', 'no such object')],
  ])('a stored body that %s is redelivered with growing delay, while the others go on', async (_what, error) => {
    const store = new MemoryPayloads();
    const { sqs, handled, errors, logger } = receiving(store);
    sqs.put(RESULTS, await stored(store));
    store.fault = error;
    for (let second = 1; second <= 10; second += 1) {
      sqs.put(RESULTS, { ...result, seq: second, stepId: `run:${second}`, output: null });
      await pass(1_000);
    }
    // Not taken for an outage: the store of runs is well.
    expect(handled).toHaveLength(10);
    expect(sqs.visibilities).toEqual([1, 2, 4, 8]);
    expect(errors).toEqual([error, error, error, error]);
    expect(logger.lines[0]).toMatchObject({
      level: 'error',
      message: 'the stored body of a result cannot be read; it will be redelivered',
      fields: { messageId: 'm1', receiveCount: 1, errorCode: 'payload_store', delaySeconds: 1 },
    });
    store.fault = undefined;
    await pass(10_000);
    expect(handled).toHaveLength(11);
    expect(sqs.messages(RESULTS)).toEqual([]);
  });

  it('a stored result is kept where no payloadStore was given, and the error says which option is missing', async () => {
    const { sqs, handled, errors } = receiving();
    sqs.put(RESULTS, await stored(new MemoryPayloads()));
    await pass();
    expect(handled).toEqual([]);
    expect(errors).toMatchObject([{ reason: 'not_configured', message: expect.stringContaining('payloadStore') }]);
    expect(sqs.messages(RESULTS)).toHaveLength(1);
  });
});

describe('a container worker', () => {
  function working(payloadStore: MemoryPayloads | undefined = new MemoryPayloads()) {
    const all = setUp();
    const worker = new TaskWorker({
      api: all.sqs,
      sender: new Sender(all.sqs),
      queueUrl: async () => FakeSqs.url(TASKS),
      resultsQueueUrl: async () => FakeSqs.url(RESULTS),
      steps: new Map([['step', { run: (input: unknown) => input }]]),
      concurrency: 10,
      waitTimeSeconds: 20,
      visibilityTimeoutSeconds: 60,
      marker: undefined,
      payloadStore,
      onError: (error) => all.errors.push(error),
      logger: all.logger,
      timing,
    });
    worker.start();
    return { ...all, store: payloadStore };
  }
  const stored = async (store: MemoryPayloads) =>
    encodePointer(await store.put(JSON.stringify(taskFor({ input: LARGE })), { kind: 'task', runId: 'run', stepId: 'run:0', seq: 0 }));

  it('reads a stored task and stores a large result', async () => {
    const { sqs, store } = working();
    sqs.put(TASKS, await stored(store));
    await pass();
    expect(sqs.messages(TASKS)).toEqual([]);
    expect(store.subjects[1]).toEqual({ kind: 'result', runId: 'run', stepId: 'run:0', seq: 0 });
    expect(JSON.parse([...store.objects.values()][1] ?? '')).toMatchObject({ status: 'completed', output: LARGE });
    expect(sqs.messages(RESULTS)[0]?.body).toContain('PayloadS3Pointer');
  });

  it('fails a step whose stored body is gone: the key tells whose it was', async () => {
    const { sqs, store } = working();
    sqs.put(TASKS, await stored(store));
    store.objects.clear();
    await pass();
    expect(sqs.bodies(RESULTS)).toEqual([
      {
        runId: 'run',
        seq: 0,
        stepId: 'run:0',
        status: 'failed',
        error: expect.objectContaining({ code: 'payload_store', retryable: false }),
      },
    ]);
    expect(sqs.messages(TASKS)).toEqual([]);
  });

  it('fails a step, once, whose result the store refuses', async () => {
    const { sqs, store } = working();
    store.fault = new PayloadStoreError('denied', 'no');
    sqs.put(TASKS, taskFor({ input: LARGE }));
    await pass(600_000);
    expect(sqs.bodies(RESULTS)).toEqual([
      {
        runId: 'run',
        seq: 0,
        stepId: 'run:0',
        status: 'failed',
        error: expect.objectContaining({ code: 'payload_store', retryable: false }),
      },
    ]);
    expect(sqs.messages(TASKS)).toEqual([]);
  });

  it('gives a task back whose body cannot be had now, with growing delay', async () => {
    const { sqs, store, errors } = working();
    sqs.put(TASKS, await stored(store));
    store.fault = unavailable();
    await pass(4_000);
    expect(sqs.visibilities).toEqual([1, 2, 4]);
    expect(errors).toHaveLength(3);
    store.fault = undefined;
    await pass(4_000);
    expect(sqs.messages(RESULTS)).toHaveLength(1);
  });

  it('gives a task back where the store fails in its own way, and does not call it malformed', async () => {
    const { sqs, store, errors, logger } = working();
    sqs.put(TASKS, await stored(store));
    const error = new ConfigurationError('the S3 client is not installed');
    store.get = () => Promise.reject(error);
    await pass();
    expect(sqs.visibilities).toEqual([1]);
    expect(errors).toEqual([error]);
    expect(logger.lines.map(({ message }) => message)).toEqual(['the stored body of a task cannot be read now; it will be redelivered']);
  });

  it('leaves a task to the dead-letter queue that points to an object of which nobody knows whose it is', async () => {
    const { sqs } = working();
    sqs.put(TASKS, encodePointer({ bucket: 'theirs', key: 'some-uuid' }));
    await pass();
    expect(sqs.messages(RESULTS)).toEqual([]);
    expect(sqs.visibilities).toEqual([]);
    expect(sqs.messages(TASKS)).toHaveLength(1);
  });
});
