import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { QueueNotFoundError, SqsRequestError } from '../../../src/errors.ts';
import { Acknowledger } from '../../../src/sqs/acknowledger.ts';
import type { EntryOutcome, VisibilityChange } from '../../../src/sqs/sqs-api.ts';
import { systemTiming } from '../../../src/time.ts';
import { deferred, stateOf } from '../../support/deferred.ts';

const QUEUE = 'https://sqs.eu-west-1.amazonaws.com/1/durable-results';
const OK: EntryOutcome = { ok: true };
const THROTTLED: EntryOutcome = { ok: false, sqsCode: 'RequestThrottled', transient: true };
const GONE: EntryOutcome = { ok: false, sqsCode: 'ReceiptHandleIsInvalid', transient: false };
const VISIBILITY_SECONDS = 30;

/** Outcomes are answered from `answers`, then with success. An error rejects the whole request. */
function setUp(answers: (EntryOutcome | Error)[] = [], options: { queueUrl?: string; deleteLingerMs?: number } = {}) {
  const start = Date.now();
  const deletes: string[][] = [];
  const changes: [number, readonly VisibilityChange[]][] = [];
  const errors: unknown[] = [];
  const answer = <T>(entries: readonly T[]): Promise<EntryOutcome[]> => {
    const results = entries.map(() => answers.shift() ?? OK);
    const error = results.find((result) => result instanceof Error);
    return error === undefined
      ? Promise.resolve(results.flatMap((result) => (result instanceof Error ? [] : [result])))
      : Promise.reject(error);
  };
  const acknowledger = new Acknowledger({
    api: {
      deleteMessages: (queueUrl, handles) => {
        expect(queueUrl).toBe(options.queueUrl ?? QUEUE);
        deletes.push([...handles]);
        return answer(handles);
      },
      changeVisibility: (queueUrl, entries) => {
        expect(queueUrl).toBe(QUEUE);
        changes.push([Date.now() - start, entries]);
        return answer(entries);
      },
    },
    queueUrl: QUEUE,
    visibilityTimeoutSeconds: VISIBILITY_SECONDS,
    onError: (error) => errors.push(error),
    timing: { ...systemTiming, random: () => 1 },
    ...options,
  });
  const extensions = () => changes.map(([at, entries]) => `${at / 1000}s ${entries.map(({ receiptHandle }) => receiptHandle).join('+')}`);
  return { acknowledger, deletes, changes, errors, extensions };
}

const seconds = (count: number) => vi.advanceTimersByTimeAsync(count * 1_000);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('hold', () => {
  it('extends in time where the clock on the wall is set back, or forward', async () => {
    const { acknowledger, changes } = setUp();
    acknowledger.hold('m');
    vi.setSystemTime(Date.now() - 3_600_000);
    await seconds(15);
    expect(changes).toHaveLength(1);
    vi.setSystemTime(Date.now() + 7_200_000);
    await seconds(10);
    expect(changes).toHaveLength(1);
    acknowledger.stop();
  });

  it('extends at half time, by the whole timeout, for as long as the message is held', async () => {
    const { acknowledger, changes, extensions } = setUp();
    acknowledger.hold('a');
    await seconds(50);
    expect(extensions()).toEqual(['15s a', '30s a', '45s a']);
    expect(changes[0]?.[1]).toEqual([{ receiptHandle: 'a', timeoutSeconds: VISIBILITY_SECONDS }]);
  });

  it('extends messages together that are due together, and never one after its timeout', async () => {
    const { acknowledger, extensions } = setUp();
    acknowledger.hold('a');
    acknowledger.hold('b');
    await seconds(3);
    acknowledger.hold('c');
    await seconds(28);
    expect(extensions()).toEqual(['15s a+b', '20s c', '30s a+b']);
  });

  it('keeps a message with a short timeout hidden too', async () => {
    const changes: number[] = [];
    const acknowledger = new Acknowledger({
      api: {
        deleteMessages: () => Promise.resolve([OK]),
        changeVisibility: () => {
          changes.push(Date.now());
          return Promise.resolve([OK]);
        },
      },
      queueUrl: QUEUE,
      visibilityTimeoutSeconds: 2,
      onError: () => undefined,
      timing: systemTiming,
    });
    const start = Date.now();
    acknowledger.hold('a');
    await seconds(4);
    expect(changes.map((at) => at - start)).toEqual([1_000, 2_000, 3_000, 4_000]);
    acknowledger.stop();
  });

  it('does not keep the process alive', () => {
    vi.useRealTimers();
    const unref = vi.spyOn(globalThis, 'setInterval');
    const { acknowledger } = setUp();
    acknowledger.hold('a');
    expect(unref.mock.results[0]?.value.hasRef()).toBe(false);
    acknowledger.stop();
    unref.mockRestore();
  });
});

describe('delete', () => {
  it('deletes once, in batches, and stops extending', async () => {
    const { acknowledger, deletes, extensions } = setUp();
    acknowledger.hold('a');
    acknowledger.hold('b');
    await Promise.all([acknowledger.delete('a'), acknowledger.delete('b')]);
    expect(deletes).toEqual([['a', 'b']]);
    await seconds(60);
    expect(extensions()).toEqual([]);
  });

  it('waits for the company of others where it may, and not past the end', async () => {
    const { acknowledger, deletes } = setUp([], { deleteLingerMs: 20 });
    void acknowledger.delete('a');
    await vi.advanceTimersByTimeAsync(19);
    void acknowledger.delete('b');
    expect(deletes).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(deletes).toEqual([['a', 'b']]);
    void acknowledger.delete('c');
    await acknowledger.idle();
    expect(deletes).toEqual([['a', 'b'], ['c']]);
  });

  it('never waits on a FIFO queue, where its group would', async () => {
    const { acknowledger, deletes } = setUp([], { deleteLingerMs: 20, queueUrl: `${QUEUE}.fifo` });
    await acknowledger.delete('a');
    expect(deletes).toEqual([['a']]);
  });

  it('packs ten to a request', async () => {
    const { acknowledger, deletes } = setUp();
    await Promise.all(Array.from({ length: 25 }, (_, index) => acknowledger.delete(String(index))));
    expect(deletes.map(({ length }) => length)).toEqual([10, 10, 5]);
  });

  it('goes on extending the others', async () => {
    const { acknowledger, extensions } = setUp();
    acknowledger.hold('a');
    acknowledger.hold('b');
    await acknowledger.delete('a');
    await seconds(15);
    expect(extensions()).toEqual(['15s b']);
  });

  it('tries a transient failure again, of the entry alone or of the whole request', async () => {
    const { acknowledger, deletes, errors } = setUp([THROTTLED, OK, new SqsRequestError('DeleteMessageBatch', 'ServiceUnavailable', true)]);
    const all = Promise.all([acknowledger.delete('a'), acknowledger.delete('b')]);
    await seconds(1);
    await all;
    expect(deletes).toEqual([['a', 'b'], ['a'], ['a']]);
    expect(errors).toEqual([]);
  });

  it.each([
    ['a definite refusal', GONE, 'ReceiptHandleIsInvalid'],
    ['a missing queue', new QueueNotFoundError(QUEUE, 'eu-west-1'), 'queue_not_found'],
    ['an error from elsewhere', new TypeError('bug'), 'bug'],
  ])('gives up on %s at once, loudly, and resolves', async (_what, answer, said) => {
    const { acknowledger, deletes, errors } = setUp([answer]);
    await acknowledger.delete('a');
    expect(deletes).toHaveLength(1);
    expect(errors).toHaveLength(1);
    expect(`${errors[0]} ${JSON.stringify(errors[0])}`).toContain(said);
  });

  it('gives up a failure that does not pass within half a minute', async () => {
    const { acknowledger, deletes, errors } = setUp(Array.from({ length: 99 }, () => THROTTLED));
    const deleted = acknowledger.delete('a');
    await seconds(26);
    expect(await stateOf(deleted)).toBe('pending');
    await seconds(4);
    expect(await stateOf(deleted)).toBe('fulfilled');
    expect(errors).toEqual([new SqsRequestError('DeleteMessageBatch', 'RequestThrottled', true)]);
    expect(deletes.length).toBeGreaterThan(8);
    expect(deletes.length).toBeLessThan(15);
  });

  it('survives a listener that throws', async () => {
    const acknowledger = new Acknowledger({
      api: { deleteMessages: () => Promise.resolve([GONE]), changeVisibility: () => Promise.resolve([GONE]) },
      queueUrl: QUEUE,
      visibilityTimeoutSeconds: VISIBILITY_SECONDS,
      onError: () => {
        throw new Error('listener broke');
      },
      timing: systemTiming,
    });
    acknowledger.hold('b');
    await acknowledger.delete('a');
    await seconds(20);
    acknowledger.stop();
  });
});

describe('release', () => {
  it('gives the message back after the delay and stops extending', async () => {
    const { acknowledger, changes } = setUp();
    acknowledger.hold('a');
    await acknowledger.release('a', 7);
    await seconds(60);
    expect(changes).toEqual([[0, [{ receiptHandle: 'a', timeoutSeconds: 7 }]]]);
  });

  it('tries again, and gives up loudly', async () => {
    const { acknowledger, changes, errors } = setUp([THROTTLED, GONE]);
    const released = acknowledger.release('a', 0);
    await seconds(1);
    await released;
    expect(changes).toHaveLength(2);
    expect(errors).toEqual([new SqsRequestError('ChangeMessageVisibilityBatch', 'ReceiptHandleIsInvalid', false)]);
  });
});

describe('forget', () => {
  it('stops extending and asks SQS for nothing', async () => {
    const { acknowledger, changes, deletes } = setUp();
    acknowledger.hold('a');
    acknowledger.forget('a');
    expect(vi.getTimerCount()).toBe(0);
    await seconds(60);
    expect([changes, deletes]).toEqual([[], []]);
  });
});

describe('a failing extension', () => {
  it('is tried again while the message is held', async () => {
    const { acknowledger, extensions, errors } = setUp([THROTTLED]);
    acknowledger.hold('a');
    await seconds(16);
    expect(extensions()).toEqual(['15s a', '15.1s a']);
    expect(errors).toEqual([]);
  });

  it('is given up loudly, and tried anew at the next half time', async () => {
    const { acknowledger, extensions, errors } = setUp([GONE]);
    acknowledger.hold('a');
    await seconds(31);
    expect(extensions()).toEqual(['15s a', '30s a']);
    expect(errors).toEqual([new SqsRequestError('ChangeMessageVisibilityBatch', 'ReceiptHandleIsInvalid', false)]);
  });

  it('is not tried again once the message was released: that would hide it again', async () => {
    const { acknowledger, changes } = setUp([THROTTLED]);
    acknowledger.hold('a');
    await seconds(15);
    await acknowledger.release('a', 0);
    await seconds(60);
    expect(changes.map(([, entries]) => entries[0]?.timeoutSeconds)).toEqual([VISIBILITY_SECONDS, 0]);
  });

  it('is no news once the message was deleted', async () => {
    const answer = deferred<EntryOutcome[]>();
    const errors: unknown[] = [];
    const acknowledger = new Acknowledger({
      api: { deleteMessages: () => Promise.resolve([OK]), changeVisibility: () => answer.promise },
      queueUrl: QUEUE,
      visibilityTimeoutSeconds: VISIBILITY_SECONDS,
      onError: (error) => errors.push(error),
      timing: systemTiming,
    });
    acknowledger.hold('a');
    await seconds(15);
    await acknowledger.delete('a');
    answer.resolve([GONE]);
    await seconds(1);
    expect(errors).toEqual([]);
  });
});

describe('timers', () => {
  it('has one while something is held and none otherwise', async () => {
    const { acknowledger } = setUp();
    expect(vi.getTimerCount()).toBe(0);
    acknowledger.hold('a');
    acknowledger.hold('b');
    expect(vi.getTimerCount()).toBe(1);
    await acknowledger.delete('a');
    expect(vi.getTimerCount()).toBe(1);
    await acknowledger.release('b', 0);
    expect(vi.getTimerCount()).toBe(0);
    acknowledger.hold('c');
    expect(vi.getTimerCount()).toBe(1);
    acknowledger.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('starts again after a stop', async () => {
    const { acknowledger, extensions } = setUp();
    acknowledger.hold('a');
    acknowledger.stop();
    await seconds(20);
    expect(extensions()).toEqual([]);
    acknowledger.hold('b');
    await seconds(15);
    expect(extensions()).toEqual(['35s b']);
  });
});

describe('idle', () => {
  it('waits for deletes and releases, those included that sleep before their next try', async () => {
    const { acknowledger, deletes } = setUp([THROTTLED, THROTTLED]);
    expect(await stateOf(acknowledger.idle())).toBe('fulfilled');
    void acknowledger.delete('a');
    void acknowledger.release('b', 0);
    const idle = acknowledger.idle();
    await vi.advanceTimersByTimeAsync(50);
    expect(await stateOf(idle)).toBe('pending');
    await vi.advanceTimersByTimeAsync(300);
    expect(await stateOf(idle)).toBe('fulfilled');
    expect(deletes.at(-1)).toEqual(['a']);
  });

  it('does not wait for messages that are merely held', async () => {
    const { acknowledger } = setUp();
    acknowledger.hold('a');
    await acknowledger.idle();
    acknowledger.stop();
  });
});
