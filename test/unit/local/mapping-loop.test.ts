import type { Message } from '@aws-sdk/client-sqs';
import type { SQSEvent } from 'aws-lambda';
import { describe, expect, it, vi } from 'vitest';
import { MappingLoop } from '../../../src/local/mapping-loop.ts';
import { type EventSourceMappingOptions, type InvocationReport, mappingSettings } from '../../../src/local/mapping-options.ts';
import type { SourceQueue } from '../../../src/local/source-queue.ts';
import type { EntryOutcome } from '../../../src/sqs/sqs-api.ts';
import type { Timing } from '../../../src/time.ts';

const QUEUE_URL = 'http://sqs.us-east-1.localhost:1/000000000000/q';

interface OpenPoll {
  readonly maxMessages: number;
  readonly waitTimeSeconds: number;
  answer(...messages: Message[]): void;
  fail(error: Error): void;
}

/** A queue whose polls stay open until the test answers them. */
class FakeQueue implements SourceQueue {
  readonly queueUrl: string;
  readonly polls: OpenPoll[] = [];
  readonly deleted: string[] = [];
  deleteOutcome: (handle: string) => EntryOutcome = () => ({ ok: true });
  /** Settles when deletes may go through. */
  deleteGate: Promise<void> = Promise.resolve();
  visibility = 30;
  receives = 0;

  constructor(queueUrl: string) {
    this.queueUrl = queueUrl;
  }

  receive(maxMessages: number, waitTimeSeconds: number): Promise<Message[]> {
    this.receives += 1;
    return new Promise((resolve, reject) => {
      const close = () => this.polls.splice(this.polls.indexOf(poll), 1);
      const poll: OpenPoll = {
        maxMessages,
        waitTimeSeconds,
        answer: (...messages) => {
          close();
          resolve(messages);
        },
        fail: (error) => {
          close();
          reject(error);
        },
      };
      this.polls.push(poll);
    });
  }

  poll(index = 0): OpenPoll {
    const poll = this.polls[index];
    if (poll === undefined) throw new Error(`expected an open poll at ${index}, got ${this.polls.length} polls`);
    return poll;
  }

  async deleteMessages(handles: readonly string[]): Promise<EntryOutcome[]> {
    await this.deleteGate;
    const outcomes = handles.map((handle) => this.deleteOutcome(handle));
    this.deleted.push(...handles.filter((_handle, index) => outcomes[index]?.ok));
    return outcomes;
  }

  visibilityTimeoutSeconds = async () => this.visibility;
  region = async () => 'us-east-1';
  destroy() {}
}

/** A handler whose invocations stay open until the test ends them. */
function heldHandler() {
  const open: { bodies: string[]; end(response?: unknown): void }[] = [];
  const handler = (event: SQSEvent) =>
    new Promise<unknown>((resolve) => {
      const invocation = {
        bodies: event.Records.map(({ body }) => body),
        end: (response?: unknown) => {
          open.splice(open.indexOf(invocation), 1);
          resolve(response);
        },
      };
      open.push(invocation);
    });
  return { handler, open };
}

function message(body: string, groupId?: string): Message {
  return { MessageId: body, ReceiptHandle: `handle-${body}`, Body: body, ...(groupId ? { Attributes: { MessageGroupId: groupId } } : {}) };
}

const messages = (count: number, first = 0) => Array.from({ length: count }, (_, index) => message(`m${first + index}`));

const quiet = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };

/** All that can go on without an answer from outside has gone on. */
const settled = async () => {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

function start(options: Partial<EventSourceMappingOptions> = {}, sleeps: number[] = []) {
  const queue = new FakeQueue(options.queueUrl ?? QUEUE_URL);
  const reports: InvocationReport[] = [];
  const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const timing: Timing = {
    now: Date.now,
    random: () => 1,
    sleep: async (ms) => {
      sleeps.push(ms);
    },
  };
  const settings = mappingSettings({
    queueUrl: QUEUE_URL,
    functionName: 'f',
    handler: () => {},
    logger,
    onInvocation: (report) => reports.push(report),
    ...options,
  });
  const loop = new MappingLoop(settings, queue, timing);
  loop.start();
  return { queue, loop, reports, logger };
}

describe('slots', () => {
  it('an idle loop keeps one poll open', async () => {
    const { queue } = start();
    for (let round = 0; round < 5; round += 1) {
      await settled();
      expect(queue.polls).toHaveLength(1);
      queue.poll().answer();
    }
  });

  it('start() does nothing the second time', async () => {
    const { queue, loop } = start();
    loop.start();
    await settled();
    expect(queue.polls).toHaveLength(1);
  });

  it('one poll stays open while invocations run, up to the maximum concurrency and not beyond', async () => {
    const { handler, open } = heldHandler();
    const { queue } = start({ handler, maximumConcurrency: 3 });
    for (let running = 1; running <= 3; running += 1) {
      await settled();
      queue.poll().answer(message(`m${running}`));
      await settled();
      expect(open).toHaveLength(running);
      expect(queue.polls).toHaveLength(running < 3 ? 1 : 0);
    }
    open[1]?.end();
    await settled();
    expect(open).toHaveLength(2);
    expect(queue.polls).toHaveLength(1);
  });

  it('polls run in parallel during a backlog, and shrink to one after it', async () => {
    const { handler, open } = heldHandler();
    const { queue } = start({ handler, maximumConcurrency: 4 });
    await settled();
    queue.poll().answer(...messages(10));
    await settled();
    open[0]?.end();
    await settled();
    expect(queue.polls).toHaveLength(2);
    queue.poll().answer();
    await settled();
    expect(queue.polls).toHaveLength(1);
    queue.poll().answer();
    await settled();
    expect(queue.polls).toHaveLength(1);
  });

  it('a poll that brought part of a batch opens no other where one is open', async () => {
    const { handler, open } = heldHandler();
    const { queue } = start({ handler });
    await settled();
    queue.poll().answer(...messages(10));
    await settled();
    queue.poll().answer(...messages(10, 10));
    await settled();
    open[0]?.end();
    await settled();
    expect(queue.polls).toHaveLength(2);
    queue.poll().answer(message('one'));
    await settled();
    expect(queue.polls).toHaveLength(1);
  });

  it('single messages cost one receive each', async () => {
    const { queue } = start();
    for (let index = 0; index < 5; index += 1) {
      await settled();
      expect(queue.polls).toHaveLength(1);
      queue.poll().answer(message(`m${index}`));
    }
    await settled();
    expect(queue.receives).toBe(6);
  });

  it('a poll asks for the batch size at most', async () => {
    const { queue } = start({ batchSize: 4, waitTimeSeconds: 7 });
    await settled();
    expect(queue.poll()).toMatchObject({ maxMessages: 4, waitTimeSeconds: 7 });
  });
});

describe('an invocation', () => {
  it('deletes the messages that the answer does not report', async () => {
    const { queue, reports } = start({ handler: () => ({ batchItemFailures: [{ itemIdentifier: 'm1' }] }) });
    await settled();
    queue.poll().answer(...messages(3));
    await settled();
    expect(queue.deleted).toEqual(['handle-m0', 'handle-m2']);
    expect(reports).toEqual([
      { requestId: expect.any(String), records: 3, deleted: 2, failed: 1, durationMs: expect.any(Number), outcome: 'partial' },
    ]);
  });

  it('deletes all without ReportBatchItemFailures', async () => {
    const handler = () => ({ batchItemFailures: [{ itemIdentifier: 'm1' }] });
    const { queue, reports } = start({ handler, reportBatchItemFailures: false });
    await settled();
    queue.poll().answer(...messages(2));
    await settled();
    expect(queue.deleted).toEqual(['handle-m0', 'handle-m1']);
    expect(reports[0]?.outcome).toBe('success');
  });

  it('a handler that throws deletes nothing, and the error is reported, its message not logged', async () => {
    const error = new RangeError('card 4111');
    const handler = () => Promise.reject(error);
    const { queue, reports, logger } = start({ handler });
    await settled();
    queue.poll().answer(...messages(2));
    await settled();
    expect(queue.deleted).toEqual([]);
    expect(reports[0]).toMatchObject({ outcome: 'failure', deleted: 0, failed: 2, reason: 'the handler threw RangeError', error });
    expect(JSON.stringify(logger.warn.mock.calls)).toContain('the handler threw RangeError');
    expect(JSON.stringify(logger.warn.mock.calls)).not.toContain('4111');
  });

  it('a message that was received twice for one batch shares one fate', async () => {
    const { queue } = start({ handler: () => ({ batchItemFailures: [{ itemIdentifier: 'm0' }] }) });
    await settled();
    queue.poll().answer(message('m0'), { ...message('m0'), ReceiptHandle: 'handle-again' }, message('m1'));
    await settled();
    expect(queue.deleted).toEqual(['handle-m1']);
  });

  it('survives an onInvocation that throws', async () => {
    const onInvocation = () => {
      throw new Error('no');
    };
    const { queue, logger } = start({ onInvocation });
    await settled();
    queue.poll().answer(message('m0'));
    await settled();
    expect(queue.polls).toHaveLength(1);
    expect(logger.error).toHaveBeenCalledOnce();
  });

  it('a handler that changes its event does not harm the mapping', async () => {
    const handler = (event: SQSEvent) => {
      for (const record of event.Records.splice(0)) record.receiptHandle = 'other';
    };
    const { queue } = start({ handler });
    await settled();
    queue.poll().answer(...messages(2));
    await settled();
    expect(queue.deleted).toEqual(['handle-m0', 'handle-m1']);
  });

  it('an event holds at most 6 MB; the next invocation gets the rest', async () => {
    const sizes: number[] = [];
    const { queue } = start({ handler: (event) => void sizes.push(event.Records.length) });
    await settled();
    queue.poll().answer(...messages(10).map((item) => ({ ...item, Body: 'x'.repeat(1_048_576) })));
    await settled();
    expect(sizes).toEqual([5, 5]);
  });
});

describe('a window', () => {
  it('a window gathers until the batch is full', async () => {
    const sizes: number[] = [];
    const handler = (event: SQSEvent) => void sizes.push(event.Records.length);
    const { queue } = start({ handler, batchSize: 25, batchWindowSeconds: 60, waitTimeSeconds: 20 });
    await settled();
    for (const [index, expected] of [10, 10, 5].entries()) {
      expect(queue.poll()).toMatchObject({ maxMessages: expected, waitTimeSeconds: 20 });
      queue.poll().answer(...messages(expected, index * 10));
      await settled();
    }
    expect(sizes).toEqual([25]);
  });

  it('a window ends at its time', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      const sizes: number[] = [];
      const handler = (event: SQSEvent) => void sizes.push(event.Records.length);
      const { queue } = start({ handler, batchSize: 100, batchWindowSeconds: 3, waitTimeSeconds: 20 });
      await settled();
      queue.poll().answer(...messages(2));
      await settled();
      vi.setSystemTime(Date.now() + 1_500);
      expect(queue.poll().waitTimeSeconds).toBe(3);
      queue.poll().answer(message('late'));
      await settled();
      expect(queue.poll().waitTimeSeconds).toBe(2);
      vi.setSystemTime(Date.now() + 1_500);
      queue.poll().answer();
      await settled();
      expect(sizes).toEqual([3]);
    } finally {
      vi.useRealTimers();
    }
  });

  it('a receive that fails ends the window, and the handler gets what was gathered', async () => {
    const sizes: number[] = [];
    const handler = (event: SQSEvent) => void sizes.push(event.Records.length);
    const { queue } = start({ handler, batchSize: 100, batchWindowSeconds: 60 });
    await settled();
    queue.poll().answer(...messages(7));
    await settled();
    queue.poll().fail(new Error('gone'));
    await settled();
    expect(sizes).toEqual([7]);
  });
});

describe('trouble with SQS', () => {
  it('a queue that answers at once that it is empty is asked once a second, within a window too', async () => {
    const idle: number[] = [];
    const { queue } = start({}, idle);
    for (let receives = 0; receives < 9; receives += 1) {
      await settled();
      queue.poll().answer();
    }
    await settled();
    // Less the time that the receive took.
    expect(idle.slice(0, 3).map((ms) => Math.ceil(ms / 25))).toEqual([1, 2, 4]);
    expect(idle.at(-1)).toBeGreaterThan(900);

    const inWindow: number[] = [];
    const gathering = start({ batchSize: 100, batchWindowSeconds: 60 }, inWindow);
    await settled();
    gathering.queue.poll().answer(...messages(7));
    for (let receives = 0; receives < 4; receives += 1) {
      await settled();
      gathering.queue.poll().answer();
    }
    await settled();
    expect(inWindow.slice(1, 4).map((ms) => Math.ceil(ms / 25))).toEqual([1, 2, 4]);
  });

  it('receives that fail back off up to 5 s, and start anew after a success', async () => {
    const sleeps: number[] = [];
    const { queue, logger } = start({}, sleeps);
    for (let failure = 0; failure < 8; failure += 1) {
      await settled();
      queue.poll().fail(Object.assign(new Error('body 4111'), { name: 'QueueDoesNotExist' }));
    }
    await settled();
    expect(sleeps).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    expect(logger.warn).toHaveBeenLastCalledWith('receive failed', {
      functionName: 'f',
      queueUrl: QUEUE_URL,
      errorName: 'QueueDoesNotExist',
      retryInMs: 5000,
    });
    queue.poll().answer();
    await settled();
    queue.poll().fail(new Error('again'));
    await settled();
    expect(sleeps.at(-1)).toBe(100);
  });

  it('deletes that fail are retried', async () => {
    const { queue, loop } = start();
    let refusals = 2;
    queue.deleteOutcome = () => (refusals-- > 0 ? { ok: false, sqsCode: 'InternalError', transient: true } : { ok: true });
    await settled();
    queue.poll().answer(message('m0'));
    await settled();
    queue.poll().answer();
    await settled();
    expect(queue.deleted).toEqual(['handle-m0']);
    const stopped = loop.stop();
    queue.poll().answer();
    await stopped;
  });

  it('deletes that SQS refuses for good are logged', async () => {
    const { queue, logger } = start();
    queue.deleteOutcome = () => ({ ok: false, sqsCode: 'ReceiptHandleIsInvalid', transient: false });
    await settled();
    queue.poll().answer(message('m0'));
    await settled();
    expect(logger.warn).toHaveBeenCalledWith(expect.stringContaining('delete given up'), expect.objectContaining({ queueUrl: QUEUE_URL }));
  });

  it.each([
    [2, 3_000, 1],
    [3, 3_000, 0],
  ])('a visibility timeout of %i s under a function timeout of %i ms gives %i warnings', async (visibility, timeoutMs, warnings) => {
    const queue = new FakeQueue(QUEUE_URL);
    queue.visibility = visibility;
    quiet.warn.mockClear();
    const settings = mappingSettings({ queueUrl: QUEUE_URL, functionName: 'f', handler: () => {}, logger: quiet, timeoutMs });
    new MappingLoop(settings, queue, { now: Date.now, random: () => 1, sleep: async () => {} }).start();
    await settled();
    expect(quiet.warn).toHaveBeenCalledTimes(warnings);
  });
});

describe('a FIFO queue', () => {
  const queueUrl = `${QUEUE_URL}.fifo`;

  it('a FIFO group is never in two invocations, even where SQS gives it out again', async () => {
    const { handler, open } = heldHandler();
    const { queue } = start({ queueUrl, handler });
    await settled();
    queue.poll().answer(message('a1', 'a'), message('b1', 'b'));
    await settled();
    queue.poll().answer(message('a2', 'a'));
    await settled();
    queue.poll().answer(message('c1', 'c'));
    await settled();
    expect(open.map(({ bodies }) => bodies)).toEqual([['a1', 'b1'], ['c1']]);
    open[0]?.end();
    await settled();
    expect(open.map(({ bodies }) => bodies)).toEqual([['c1'], ['a2']]);
  });

  it('the rest of a FIFO receive is left in flight after a failure', async () => {
    const seen: string[] = [];
    const handler = (event: SQSEvent) => {
      for (const { messageId } of event.Records) seen.push(messageId);
      return { batchItemFailures: [{ itemIdentifier: 'a0' }] };
    };
    const { queue } = start({ queueUrl, handler });
    await settled();
    queue.poll().answer(...Array.from({ length: 10 }, (_, index) => ({ ...message(`a${index}`, 'a'), Body: 'x'.repeat(1_048_576) })));
    await settled();
    expect(seen).toEqual(['a0', 'a1', 'a2', 'a3', 'a4']);
    expect(queue.deleted).toEqual(['handle-a1', 'handle-a2', 'handle-a3', 'handle-a4']);
  });
});

describe('stop', () => {
  it('stop() waits for the poll, for its messages, and for the deletes', async () => {
    const { handler, open } = heldHandler();
    const { queue, loop } = start({ handler });
    await settled();
    const gate = Promise.withResolvers<void>();
    queue.deleteGate = gate.promise;
    let stopped = false;
    const done = loop.stop().then(() => {
      stopped = true;
    });
    await settled();
    expect(stopped).toBe(false);
    queue.poll().answer(message('m0'));
    await settled();
    expect(queue.polls).toHaveLength(0);
    expect(stopped).toBe(false);
    open[0]?.end();
    await settled();
    expect(stopped).toBe(false);
    gate.resolve();
    await done;
    expect(queue.deleted).toEqual(['handle-m0']);
  });

  it('stop() ends a window early', async () => {
    const { handler, open } = heldHandler();
    const { queue, loop } = start({ handler, batchSize: 100, batchWindowSeconds: 60 });
    await settled();
    queue.poll().answer(message('m0'));
    await settled();
    const done = loop.stop();
    queue.poll().answer(message('m1'));
    await settled();
    expect(open.map(({ bodies }) => bodies)).toEqual([['m0', 'm1']]);
    open[0]?.end();
    await done;
  });
});
