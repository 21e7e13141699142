import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConfigurationError, DispatchTimeoutError, QueueNotFoundError, SqsRequestError, TaskTooLargeError } from '../../../src/errors.ts';
import { QueueDirectory, type QueueDirectoryOptions } from '../../../src/sqs/queue-directory.ts';
import { Sender } from '../../../src/sqs/sender.ts';
import { systemTiming } from '../../../src/time.ts';
import { Dispatcher, type DispatcherOptions } from '../../../src/transport/dispatcher.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { taskFor } from '../../support/sqs-records.ts';
import { definite, FakeSqs, transient } from './fake-sqs.ts';

const QUEUE = 'durable-tasks-step';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

function setUp(options: Partial<DispatcherOptions & QueueDirectoryOptions> = {}, sqs = new FakeSqs(QUEUE)) {
  const logger = capturingLogger();
  const dispatcher = new Dispatcher({
    sender: new Sender(sqs),
    queues: new QueueDirectory({ api: sqs, prefix: 'durable', autoCreate: false, stepTimeoutSeconds: 60, ...options }),
    namespace: undefined,
    marker: undefined,
    messageGroupId: undefined,
    payloadStore: undefined,
    timeoutMs: 120_000,
    logger,
    timing: { ...systemTiming, random: () => 1 },
    ...options,
  });
  return { sqs, dispatcher, logger };
}

/** How a promise ends, given all the time that it needs. */
async function outcome(promise: Promise<void>): Promise<unknown> {
  const ended = promise.then(
    () => 'sent',
    (error: unknown) => error,
  );
  await vi.advanceTimersByTimeAsync(600_000);
  return ended;
}

describe('a task', () => {
  it('goes to the queue of its token, as it is', async () => {
    const { sqs, dispatcher } = setUp();
    const task = taskFor({ input: { amount: 1, text: '😀' }, traceparent: '00-a', context: { tenant: 't' }, transport: 'default' });
    await dispatcher.send(task);
    expect(sqs.bodies(QUEUE)).toEqual([task]);
    expect(sqs.callsOf('send')[0]?.messages?.[0]).not.toHaveProperty('attributes');
    expect(sqs.callsOf('send')[0]?.messages?.[0]).not.toHaveProperty('groupId');
  });

  it('looks its queue up once', async () => {
    const { sqs, dispatcher } = setUp();
    await Promise.all([1, 2, 3].map((seq) => dispatcher.send(taskFor({ seq }))));
    expect(sqs.callsOf('find')).toHaveLength(1);
    expect(sqs.callsOf('send')).toHaveLength(1);
  });

  it('carries the marker', async () => {
    const { sqs, dispatcher } = setUp({ marker: 'durable' });
    await dispatcher.send(taskFor());
    expect(sqs.messages(QUEUE)[0]?.attributes).toEqual({ durable: '1' });
  });

  it('carries its message group, where there is one for it', async () => {
    const { sqs, dispatcher } = setUp({ messageGroupId: ({ runId }) => (runId === 'a' ? 'tenant-a' : undefined) });
    await dispatcher.send(taskFor({ runId: 'a' }));
    await dispatcher.send(taskFor({ runId: 'b' }));
    expect(sqs.messages(QUEUE).map(({ groupId }) => groupId)).toEqual(['tenant-a', undefined]);
  });

  it.each([
    ['a promise', Promise.resolve('tenant-a'), 'a promise'],
    ['a number', 7, 'a number'],
    ['an empty string', '', 'an empty string'],
  ])('a message group that is %s is refused, and nothing is sent', async (_what, group: unknown, got) => {
    const messageGroupId = (): ReturnType<typeof JSON.parse> => group;
    const { sqs, dispatcher } = setUp({ messageGroupId });
    await expect(dispatcher.send(taskFor())).rejects.toThrow(
      new ConfigurationError(`SqsTransport: expected messageGroupId(task) to give a non-empty string or undefined, got ${got}`),
    );
    expect(sqs.callsOf('send')).toEqual([]);
  });

  it('a task larger than a message may be is refused, attributes counted in', async () => {
    const { sqs, dispatcher } = setUp({ marker: 'durable' });
    const frame = JSON.stringify(taskFor({ input: '' })).length + 'durable'.length + 'String'.length + '1'.length;
    await dispatcher.send(taskFor({ input: 'x'.repeat(1_048_576 - frame) }));
    const tooLarge = dispatcher.send(taskFor({ input: 'x'.repeat(1_048_576 - frame + 1) }));
    await expect(tooLarge).rejects.toThrow(new TaskTooLargeError({ runId: 'run', stepId: 'run:0', name: 'step' }, 1_048_577, 1_048_576));
    expect(sqs.messages(QUEUE)).toHaveLength(1);
  });

  it('a partition is refused under a namespace: its worker listens under the bare prefix', async () => {
    const { sqs, dispatcher } = setUp({ namespace: 'eu' });
    await expect(dispatcher.send(taskFor({ group: 'step@acme' }))).rejects.toThrow(
      new ConfigurationError(
        'token "step@acme" of step run:0 carries a partition, but this transport is namespaced "eu". Partitions live under the bare ' +
          'prefix: give the engine a transport without namespace, or drop the partition.',
      ),
    );
    expect(sqs.calls).toEqual([]);
  });

  it('a partition has a queue of its own', async () => {
    const { sqs, dispatcher } = setUp({}, new FakeSqs('durable-tasks-step_at_acme', QUEUE));
    await dispatcher.send(taskFor({ group: 'step@acme' }));
    expect(sqs.messages('durable-tasks-step_at_acme')).toHaveLength(1);
  });
});

describe('a failure that passes', () => {
  it('a refused send is tried again until SQS accepts, and warns of tries 1, 2, 4, …', async () => {
    const { sqs, dispatcher, logger } = setUp();
    let left = 5;
    sqs.fault = (operation) => {
      if (operation !== 'send' || left === 0) return undefined;
      left -= 1;
      return transient('ServiceUnavailable');
    };
    expect(await outcome(dispatcher.send(taskFor()))).toBe('sent');
    const atMs = sqs.callsOf('send').map((call) => call.atMs);
    expect(atMs.slice(1).map((at, index) => at - (atMs[index] ?? 0))).toEqual([100, 200, 400, 800, 1_600]);
    expect(logger.lines.map(({ fields }) => fields?.['tries'])).toEqual([1, 2, 4]);
    expect(logger.lines[2]).toMatchObject({
      level: 'warn',
      message: 'dispatch failed and is tried again',
      fields: { runId: 'run', stepId: 'run:0', tries: 4, errorName: 'SqsRequestError' },
    });
  });

  it('a look-up that fails is tried again', async () => {
    const { sqs, dispatcher } = setUp();
    sqs.fault = (operation) => (operation === 'find' && sqs.callsOf('find').length < 4 ? transient() : undefined);
    expect(await outcome(dispatcher.send(taskFor()))).toBe('sent');
  });

  it('an entry of a batch that fails costs its neighbours nothing', async () => {
    const { sqs, dispatcher } = setUp();
    let entries = 0;
    sqs.entryFault = (operation) => {
      if (operation !== 'send') return undefined;
      entries += 1;
      return entries === 2 ? { ok: false, sqsCode: 'InternalError', transient: true } : undefined;
    };
    const sends = [0, 1, 2].map((seq) => dispatcher.send(taskFor({ seq })));
    expect(await Promise.all(sends.map(outcome))).toEqual(['sent', 'sent', 'sent']);
    expect(sqs.messages(QUEUE)).toHaveLength(3);
  });

  it('transient failures for longer than dispatchTimeoutMs end in a DispatchTimeoutError with its cause', async () => {
    const { sqs, dispatcher } = setUp({ timeoutMs: 60_000 });
    sqs.fault = () => transient('ServiceUnavailable');
    const error = await outcome(dispatcher.send(taskFor()));
    expect(error).toEqual(new DispatchTimeoutError({ runId: 'run', stepId: 'run:0' }, 60_000));
    expect(error).toHaveProperty('cause.sqsCode', 'ServiceUnavailable');
    const last = sqs.callsOf('find').at(-1)?.atMs ?? 0;
    expect(last - 1_000_000).toBeGreaterThan(50_000);
    expect(last - 1_000_000).toBeLessThanOrEqual(60_000);
  });

  it('dispatchTimeoutMs: 0 makes the first failure the last', async () => {
    const { sqs, dispatcher } = setUp({ timeoutMs: 0 });
    sqs.fault = () => transient();
    await expect(dispatcher.send(taskFor())).rejects.toThrow(DispatchTimeoutError);
    expect(sqs.calls).toHaveLength(1);
  });
});

describe('a definite refusal', () => {
  it('a refused request rejects at once', async () => {
    const { sqs, dispatcher } = setUp();
    sqs.fault = (operation) => (operation === 'send' ? definite('AccessDenied') : undefined);
    await expect(dispatcher.send(taskFor())).rejects.toThrow(new SqsRequestError('Test', 'AccessDenied', false));
    expect(sqs.callsOf('send')).toHaveLength(1);
  });

  it('a refused entry rejects at once', async () => {
    const { sqs, dispatcher } = setUp();
    sqs.entryFault = () => ({ ok: false, sqsCode: 'InvalidParameterValue', transient: false });
    await expect(dispatcher.send(taskFor())).rejects.toThrow(new SqsRequestError('SendMessageBatch', 'InvalidParameterValue', false));
  });

  it('a definite refusal after transient failures is no timeout', async () => {
    const { sqs, dispatcher } = setUp();
    sqs.fault = (operation) => {
      if (operation !== 'send') return undefined;
      return sqs.callsOf('send').length < 3 ? transient() : definite('AccessDenied');
    };
    expect(await outcome(dispatcher.send(taskFor()))).toEqual(new SqsRequestError('Test', 'AccessDenied', false));
  });

  it('a queue that does not exist, without autoCreate', async () => {
    const { dispatcher } = setUp({}, new FakeSqs());
    await expect(dispatcher.send(taskFor())).rejects.toMatchObject({ name: 'QueueNotFoundError', queue: QUEUE, region: 'eu-west-1' });
  });
});

describe('a queue that was deleted since it was looked up', () => {
  it('a queue made anew elsewhere is found', async () => {
    const urls = ['https://sqs.eu-west-1.amazonaws.com/1/old', 'https://sqs.eu-west-1.amazonaws.com/1/new'];
    const { sqs, dispatcher } = setUp({ taskQueueUrl: () => urls[0] ?? '' }, new FakeSqs('old', 'new'));
    await dispatcher.send(taskFor());
    sqs.removeQueue('old');
    urls.shift();
    expect(await outcome(dispatcher.send(taskFor({ seq: 1 })))).toBe('sent');
    expect(sqs.messages('new')).toHaveLength(1);
  });

  it('autoCreate makes the queue anew', async () => {
    const { sqs, dispatcher } = setUp({ autoCreate: true });
    await dispatcher.send(taskFor());
    sqs.removeQueue(QUEUE);
    expect(await outcome(dispatcher.send(taskFor({ seq: 1 })))).toBe('sent');
    expect(sqs.bodies(QUEUE)).toEqual([taskFor({ seq: 1 })]);
  });

  it('a queue made a moment ago is waited for: SQS takes a second until it knows it', async () => {
    const { sqs, dispatcher } = setUp({ autoCreate: true }, new FakeSqs());
    const unknown = () => new QueueNotFoundError('q', 'eu-west-1');
    sqs.fault = (operation) => ((operation === 'send' || operation === 'attributes') && Date.now() < 1_001_500 ? unknown() : undefined);
    expect(await outcome(dispatcher.send(taskFor()))).toBe('sent');
    expect(sqs.bodies(QUEUE)).toEqual([taskFor()]);
  });

  it('a queue deleted less than a minute ago is waited for', async () => {
    const { sqs, dispatcher } = setUp({ autoCreate: true }, new FakeSqs());
    sqs.fault = (operation, queue) =>
      operation === 'create' && queue === QUEUE && Date.now() < 1_060_000 ? transient('QueueDeletedRecently') : undefined;
    expect(await outcome(dispatcher.send(taskFor()))).toBe('sent');
  });

  it('the dispatch is refused where autoCreate is off', async () => {
    const { sqs, dispatcher } = setUp();
    await dispatcher.send(taskFor());
    sqs.removeQueue(QUEUE);
    expect(await outcome(dispatcher.send(taskFor({ seq: 1 })))).toBeInstanceOf(QueueNotFoundError);
    expect(sqs.callsOf('find').filter(({ queue }) => queue === QUEUE)).toHaveLength(2);
  });

  it('a literal URL of a queue that is gone is tried twice, not for as long as dispatchTimeoutMs', async () => {
    const { sqs, dispatcher } = setUp({ taskQueueUrl: FakeSqs.url(QUEUE) }, new FakeSqs());
    expect(await outcome(dispatcher.send(taskFor()))).toBeInstanceOf(QueueNotFoundError);
    expect(sqs.callsOf('send')).toHaveLength(2);
  });
});
