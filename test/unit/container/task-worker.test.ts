import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TaskWorker, type TaskWorkerOptions } from '../../../src/container/task-worker.ts';
import { Sender } from '../../../src/sqs/sender.ts';
import type { StepContext } from '../../../src/step/step-context.ts';
import type { ServedStep } from '../../../src/step/step-tasks.ts';
import { systemTiming } from '../../../src/time.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { deferred } from '../../support/deferred.ts';
import { taskFor } from '../../support/sqs-records.ts';
import { ended } from '../transport/ended.ts';
import { definite, FakeSqs, transient } from '../transport/fake-sqs.ts';

const TASKS = 'durable-tasks-step';
const RESULTS = 'durable-results';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

function setUp(run: ServedStep['run'] = (input) => input, options: Partial<TaskWorkerOptions> = {}) {
  const sqs = new FakeSqs(TASKS, RESULTS);
  const logger = capturingLogger();
  const errors: [string, string | undefined][] = [];
  const worker = new TaskWorker({
    api: sqs,
    sender: new Sender(sqs),
    queueUrl: async () => FakeSqs.url(TASKS),
    resultsQueueUrl: async () => FakeSqs.url(RESULTS),
    steps: new Map([['step', { run }]]),
    concurrency: 10,
    waitTimeSeconds: 20,
    visibilityTimeoutSeconds: 60,
    marker: undefined,
    payloadStore: undefined,
    onError: (error, queueUrl) => void errors.push([error instanceof Error ? error.name : '', queueUrl]),
    logger,
    timing: { ...systemTiming, random: () => 1 },
    ...options,
  });
  worker.start();
  return { sqs, worker, logger, errors };
}

const pass = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

describe('a task', () => {
  it('runs inside of around, which sees where it came from', async () => {
    const seen: unknown[] = [];
    const around = async (step: StepContext, next: () => Promise<unknown>) => {
      seen.push([step.messageId, step.queue]);
      return [await next()];
    };
    const { sqs } = setUp(() => 'ran', { around });
    sqs.put(TASKS, taskFor());
    await pass();
    expect(sqs.bodies(RESULTS)).toMatchObject([{ output: ['ran'] }]);
    expect(seen).toEqual([[expect.any(String), FakeSqs.url(TASKS)]]);
  });

  it('runs, has its result sent, and is deleted only then', async () => {
    const { sqs } = setUp((input) => ({ got: input }));
    const sent = deferred<void>();
    const send = sqs.sendMessages.bind(sqs);
    sqs.sendMessages = async (...args) => {
      await sent.promise;
      return send(...args);
    };
    sqs.put(TASKS, taskFor({ input: 1 }));
    await pass();
    expect(sqs.callsOf('delete')).toEqual([]);
    sent.resolve();
    await pass();
    expect(sqs.bodies(RESULTS)).toEqual([
      expect.objectContaining({ runId: 'run', stepId: 'run:0', seq: 0, status: 'completed', output: { got: 1 } }),
    ]);
    expect(sqs.messages(TASKS)).toEqual([]);
  });

  it('gives its step what there is to know of the delivery', async () => {
    const seen: StepContext[] = [];
    const { sqs } = setUp((_input, step) => void seen.push(step));
    const task = taskFor({ context: { tenant: 't' }, attempt: 2 });
    sqs.put(TASKS, task);
    await pass();
    expect(seen[0]).toMatchObject({ task, receiveCount: 1 });
    expect(seen[0]?.remainingTimeMs()).toBe(Number.POSITIVE_INFINITY);
    expect(seen[0]?.signal.aborted).toBe(false);
  });

  it('stays hidden while its step runs', async () => {
    const end = deferred<void>();
    const { sqs } = setUp(() => end.promise, { visibilityTimeoutSeconds: 2 });
    sqs.put(TASKS, taskFor());
    await pass(3_600_000);
    expect(sqs.messages(TASKS)[0]?.receiveCount).toBe(1);
    end.resolve();
    await pass();
    expect(sqs.messages(TASKS)).toEqual([]);
  });

  it('runs beside others, as many as `concurrency` allows', async () => {
    const end = deferred<void>();
    let running = 0;
    const { sqs } = setUp(
      async () => {
        running += 1;
        await end.promise;
      },
      { concurrency: 25 },
    );
    for (let seq = 0; seq < 40; seq += 1) sqs.put(TASKS, taskFor({ seq }));
    await pass(1);
    expect(running).toBe(25);
    end.resolve();
    await pass(1);
    await pass(1);
    expect(running).toBe(40);
    expect(sqs.messages(RESULTS)).toHaveLength(40);
  });

  it('gets handled behind one that is no task, which stays hidden until its timeout ends', async () => {
    const { sqs } = setUp();
    sqs.put(TASKS, 'no task');
    sqs.put(TASKS, taskFor());
    await pass();
    expect(sqs.messages(RESULTS)).toHaveLength(1);
    expect(sqs.messages(TASKS)).toHaveLength(1);
    expect(sqs.callsOf('change')).toEqual([]);
  });

  it('becomes visible at once where it lacks the marker, for the other consumer', async () => {
    const { sqs } = setUp(undefined, { marker: 'durable' });
    sqs.put(TASKS, taskFor());
    sqs.put(TASKS, taskFor({ seq: 1 }), { durable: '1' });
    await pass();
    expect(sqs.messages(RESULTS).map(({ attributes }) => attributes)).toEqual([{ durable: '1' }]);
    expect(sqs.visibilities.slice(0, 2)).toEqual([0, 0]);
    expect(sqs.messages(TASKS)).toHaveLength(1);
  });
});

describe('a result that SQS does not accept', () => {
  it('goes out again for as long as it takes: the step has run', async () => {
    let runs = 0;
    const { sqs, logger, errors } = setUp(() => {
      runs += 1;
    });
    sqs.fault = (operation) => (operation === 'send' ? transient('ServiceUnavailable') : undefined);
    sqs.put(TASKS, taskFor());
    await pass(3_600_000);
    expect(logger.lines.at(-1)).toMatchObject({
      level: 'warn',
      message: 'sending a result failed; it is tried again while there is time',
      fields: { runId: 'run', stepId: 'run:0', errorName: 'SqsRequestError', queue: FakeSqs.url(RESULTS) },
    });
    expect(errors.at(-1)).toEqual(['SqsRequestError', FakeSqs.url(RESULTS)]);
    sqs.fault = () => undefined;
    await pass(10_000);
    expect(sqs.messages(RESULTS)).toHaveLength(1);
    expect(sqs.messages(TASKS)).toEqual([]);
    expect(runs).toBe(1);
  });

  it('goes out once its missing queue is there again; the missing one is told, to be looked up anew', async () => {
    let runs = 0;
    const { sqs, errors } = setUp(() => {
      runs += 1;
    });
    sqs.removeQueue(RESULTS);
    sqs.put(TASKS, taskFor());
    await pass(600_000);
    expect(errors.at(-1)).toEqual(['QueueNotFoundError', FakeSqs.url(RESULTS)]);
    sqs.addQueue(RESULTS);
    await pass(10_000);
    expect(sqs.messages(RESULTS)).toHaveLength(1);
    expect(runs).toBe(1);
  });

  it('goes out once a missing right is granted: the step does not run for each delivery', async () => {
    let runs = 0;
    const { sqs } = setUp(() => {
      runs += 1;
    });
    sqs.fault = (operation) => (operation === 'send' ? definite('AccessDenied') : undefined);
    sqs.put(TASKS, taskFor());
    await pass(600_000);
    sqs.fault = () => undefined;
    await pass(10_000);
    expect(sqs.messages(RESULTS)).toHaveLength(1);
    expect(sqs.messages(TASKS)).toEqual([]);
    expect(runs).toBe(1);
  });

  it('a delete that fails is told', async () => {
    const { sqs, logger, errors } = setUp();
    sqs.entryFault = (operation) =>
      operation === 'delete' ? { ok: false, sqsCode: 'ReceiptHandleIsInvalid', transient: false } : undefined;
    sqs.put(TASKS, taskFor());
    await pass();
    expect(errors).toEqual([['SqsRequestError', FakeSqs.url(TASKS)]]);
    expect(logger.lines.at(-1)?.message).toBe('a delete or visibility change failed; the task may be redelivered');
  });
});

describe('receiving that fails', () => {
  it('tells of it, backs off and recovers', async () => {
    const { sqs, logger, errors } = setUp();
    sqs.fault = (operation) => (operation === 'receive' ? transient() : undefined);
    await pass(60_000);
    expect(errors.length).toBeLessThan(15);
    expect(errors[0]).toEqual(['SqsRequestError', FakeSqs.url(TASKS)]);
    expect(logger.lines[0]).toMatchObject({ level: 'warn', message: 'receiving tasks failed' });
    sqs.fault = () => undefined;
    sqs.put(TASKS, taskFor());
    await pass(10_000);
    expect(sqs.messages(RESULTS)).toHaveLength(1);
  });
});

describe('the end', () => {
  it('stop receives no more; settled waits for the steps that run, and for SQS', async () => {
    const end = deferred<void>();
    const { sqs, worker } = setUp(() => end.promise);
    sqs.put(TASKS, taskFor());
    await pass();
    await ended(worker.stop());
    sqs.put(TASKS, taskFor({ seq: 1 }));
    await pass(60_000);
    let settled = false;
    const done = worker.settled().then(() => {
      settled = true;
    });
    await pass();
    expect(settled).toBe(false);
    end.resolve();
    await pass();
    await done;
    expect(sqs.messages(RESULTS)).toHaveLength(1);
    expect(sqs.bodies(TASKS)).toEqual([taskFor({ seq: 1 })]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('abort tells the step; one that fails for it goes back to the queue, and the engine is not told of a failure', async () => {
    const { sqs, worker, logger } = setUp(
      (_input, { signal }) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    );
    sqs.put(TASKS, taskFor());
    await pass();
    await ended(worker.stop());
    worker.abandon();
    await pass();
    expect(sqs.messages(RESULTS)).toEqual([]);
    expect(sqs.messages(TASKS)[0]?.visibleAt).toBe(Date.now());
    expect(logger.lines).toEqual([
      {
        level: 'warn',
        message: 'step stopped before its end; its task will be redelivered',
        fields: expect.objectContaining({ runId: 'run', stepId: 'run:0', reason: 'the worker is closing' }),
      },
    ]);
  });

  it('abort leaves a step alone that has ended: its listener is not called, whoever else is stopped', async () => {
    const undone: unknown[] = [];
    const { sqs, worker } = setUp((input, { signal }) => {
      signal.addEventListener('abort', () => undone.push(input));
      return input === 'quick' ? 'done' : new Promise(() => undefined);
    });
    sqs.put(TASKS, taskFor({ input: 'quick' }));
    sqs.put(TASKS, taskFor({ seq: 1, input: 'slow' }));
    await pass();
    await ended(worker.stop());
    worker.abandon();
    expect(undone).toEqual(['slow']);
  });

  it('one that completes all the same has its result sent', async () => {
    const { sqs, worker } = setUp(
      (_input, { signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve('partial'))),
    );
    sqs.put(TASKS, taskFor());
    await pass();
    await ended(worker.stop());
    worker.abandon();
    await pass();
    expect(sqs.bodies(RESULTS)).toEqual([expect.objectContaining({ status: 'completed', output: 'partial' })]);
    expect(sqs.messages(TASKS)).toEqual([]);
  });

  it('one that does not listen is hidden no longer', async () => {
    const { sqs, worker } = setUp(() => new Promise(() => undefined));
    sqs.put(TASKS, taskFor());
    await pass(120_000);
    await ended(worker.stop());
    worker.abandon();
    await pass(60_000);
    expect(sqs.messages(TASKS)[0]?.visibleAt).toBeLessThanOrEqual(Date.now());
    expect(vi.getTimerCount()).toBe(0);
  });

  it('abort gives up a result that SQS does not accept', async () => {
    const { sqs, worker, logger } = setUp();
    sqs.fault = (operation) => (operation === 'send' ? transient() : undefined);
    sqs.put(TASKS, taskFor());
    await pass(60_000);
    await ended(worker.stop());
    worker.abandon();
    await pass();
    await worker.settled();
    expect(logger.lines.at(-1)?.message).toBe('result not accepted by SQS; its task will be redelivered');
    expect(sqs.messages(TASKS)).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});
