import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TaskWorker } from '../../../src/container/task-worker.ts';
import { QueueDirectory, type QueueDirectoryOptions } from '../../../src/sqs/queue-directory.ts';
import { Sender } from '../../../src/sqs/sender.ts';
import { systemTiming } from '../../../src/time.ts';
import { messageGroupOfRun } from '../../../src/topology/message-group.ts';
import { Dispatcher } from '../../../src/transport/dispatcher.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { deferred } from '../../support/deferred.ts';
import { taskFor } from '../../support/sqs-records.ts';
import { FakeSqs, transient } from '../transport/fake-sqs.ts';

const TASKS = 'durable-tasks-step.fifo';
const RESULTS = 'durable-results.fifo';
const timing = { ...systemTiming, random: () => 1 };

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const pass = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

describe('dispatch to a FIFO queue', () => {
  function setUp(options: Partial<QueueDirectoryOptions> = { fifo: { tasks: true, results: true } }) {
    const sqs = new FakeSqs(TASKS);
    const queues = new QueueDirectory({ api: sqs, prefix: 'durable', autoCreate: false, stepTimeoutSeconds: 60, ...options });
    const messageGroupId = () => 'tenant';
    const common = { namespace: undefined, marker: undefined, messageGroupId, payloadStore: undefined, timeoutMs: 120_000, timing };
    const dispatcher = new Dispatcher({ ...common, sender: new Sender(sqs), queues, logger: capturingLogger() });
    const sent = () => sqs.callsOf('send').flatMap(({ messages = [] }) => messages);
    return { sqs, dispatcher, sent };
  }

  it('sends each task in the group of its run, with a deduplication id of its own', async () => {
    const { dispatcher, sent } = setUp();
    const strange = 'a run id with spaces';
    for (const runId of ['run', 'run', strange]) await dispatcher.send(taskFor({ runId }));
    expect(sent().map(({ groupId }) => groupId)).toEqual(['run', 'run', messageGroupOfRun(strange)]);
    // The same step and attempt twice: dispatched anew after a crash, it must not be taken for a duplicate.
    expect(new Set(sent().map(({ deduplicationId }) => deduplicationId)).size).toBe(3);
  });

  it.each<[string, Partial<QueueDirectoryOptions>]>([
    ['a literal URL', { taskQueueUrl: FakeSqs.url(TASKS) }],
    ['a resolved URL', { taskQueueUrl: async () => FakeSqs.url(TASKS) }],
  ])('knows the queue by %s', async (_how, options) => {
    const { dispatcher, sent } = setUp(options);
    await dispatcher.send(taskFor());
    expect(sent()).toMatchObject([{ groupId: 'run', deduplicationId: expect.stringMatching(/^[0-9a-f-]{36}$/) }]);
  });

  it('keeps the id over its tries, so that a send whose answer was lost is not doubled', async () => {
    const { sqs, dispatcher, sent } = setUp();
    const sendMessages = sqs.sendMessages.bind(sqs);
    let lost = 2;
    sqs.sendMessages = async (...args) => {
      const answer = await sendMessages(...args);
      lost -= 1;
      if (lost >= 0) throw transient('TimeoutError');
      return answer;
    };
    const dispatched = dispatcher.send(taskFor());
    await pass(10_000);
    await dispatched;
    expect(sent()).toHaveLength(3);
    expect(new Set(sent().map(({ deduplicationId }) => deduplicationId)).size).toBe(1);
    expect(sqs.messages(TASKS)).toHaveLength(1);
  });

  it('keeps the order of a run over tries that fail, and lets other runs pass', async () => {
    const { sqs, dispatcher } = setUp();
    let failures = 3;
    sqs.entryFault = (operation) => {
      if (operation !== 'send' || failures === 0) return undefined;
      failures -= 1;
      return { ok: false, sqsCode: 'InternalError', transient: true };
    };
    const dispatches = [
      dispatcher.send(taskFor({ seq: 0 })),
      dispatcher.send(taskFor({ seq: 1 })),
      dispatcher.send(taskFor({ seq: 0, runId: 'other' })),
      dispatcher.send(taskFor({ seq: 2 })),
    ];
    await pass(60_000);
    await Promise.all(dispatches);
    const steps = sqs.messages(TASKS).map(({ body }): string => JSON.parse(body).stepId);
    expect(steps.filter((step) => step.startsWith('run'))).toEqual(['run:0', 'run:1', 'run:2']);
    expect(steps).toContain('other:0');
  });
});

describe('a container worker on a FIFO tasks queue', () => {
  function setUp(run: (input: unknown) => unknown = (input) => input) {
    const sqs = new FakeSqs(TASKS, RESULTS);
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
      onError: () => undefined,
      logger: capturingLogger(),
      timing,
    });
    worker.start();
    const put = (runId: string, seq: number) => sqs.putInGroup(TASKS, runId, taskFor({ runId, seq, input: `${runId}${seq}` }));
    const sent = () => sqs.callsOf('send', RESULTS).flatMap(({ messages = [] }) => messages);
    return { sqs, worker, put, sent };
  }

  it('runs the tasks of a run one after the other, and answers in its group', async () => {
    const ends = new Map(['a0', 'a1', 'b0'].map((name) => [name, deferred<void>()]));
    const begun: unknown[] = [];
    const { sqs, put, sent } = setUp((input) => {
      begun.push(input);
      return ends.get(String(input))?.promise;
    });
    put('a', 0);
    put('a', 1);
    put('b', 0);
    await pass();
    expect(begun).toEqual(['a0', 'b0']);
    ends.get('a0')?.resolve();
    await pass();
    expect(begun).toEqual(['a0', 'b0', 'a1']);
    for (const end of ends.values()) end.resolve();
    await pass();
    expect(
      sent()
        .map(({ groupId }) => groupId)
        .sort(),
    ).toEqual(['a', 'a', 'b']);
    expect(new Set(sent().map(({ deduplicationId }) => deduplicationId)).size).toBe(3);
    expect(sqs.messages(TASKS)).toEqual([]);
  });

  it('begins none once it closes: what is behind the step that runs goes back at once', async () => {
    const end = deferred<void>();
    const begun: unknown[] = [];
    const { sqs, worker, put } = setUp((input) => {
      begun.push(input);
      return end.promise;
    });
    for (const seq of [0, 1, 2]) put('a', seq);
    await pass();
    const stopped = worker.stop();
    await pass(1_000);
    await stopped;
    end.resolve();
    await pass();
    expect(begun).toEqual(['a0']);
    expect(sqs.messages(TASKS).map(({ visibleAt }) => visibleAt <= Date.now())).toEqual([true, true]);
  });

  it('goes on with a run whose step has failed: that is an answer, too', async () => {
    const { sqs, put } = setUp(() => {
      throw new Error('no');
    });
    put('a', 0);
    put('a', 1);
    await pass();
    expect(sqs.messages(RESULTS)).toHaveLength(2);
  });

  it('stops a run at the first task that it cannot do, and gives back the rest at once', async () => {
    const { sqs, put } = setUp();
    put('b', 0);
    sqs.putInGroup(TASKS, 'a', 'no task');
    put('a', 1);
    put('a', 2);
    await pass();
    expect(sqs.messages(RESULTS)).toHaveLength(1);
    expect(sqs.visibilities).toEqual([0, 0]);
    await pass(30_000);
    // The group is shut until its first message is visible again, and then comes in order.
    expect(sqs.messages(TASKS).map(({ receiveCount }) => receiveCount)).toEqual([1, 1, 1]);
  });
});
