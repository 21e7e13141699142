import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { QueueNotFoundError, SqsRequestError } from '../../../src/errors.ts';
import { InFlightMessages } from '../../../src/sqs/in-flight-messages.ts';
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
  const inFlight = new InFlightMessages({
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
    onGivenUp: (error) => errors.push(error),
    timing: { ...systemTiming, random: () => 1 },
    ...options,
  });
  const extensions = () => changes.map(([at, entries]) => `${at / 1000}s ${entries.map(({ receiptHandle }) => receiptHandle).join('+')}`);
  return { inFlight, deletes, changes, errors, extensions };
}

const seconds = (count: number) => vi.advanceTimersByTimeAsync(count * 1_000);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('keepHidden', () => {
  it('extends in time where the clock on the wall is set back, or forward', async () => {
    const { inFlight, changes } = setUp();
    inFlight.keepHidden('m');
    vi.setSystemTime(Date.now() - 3_600_000);
    await seconds(15);
    expect(changes).toHaveLength(1);
    vi.setSystemTime(Date.now() + 7_200_000);
    await seconds(10);
    expect(changes).toHaveLength(1);
    inFlight.stop();
  });

  it('extends at half time, by the whole timeout, for as long as the message is kept hidden', async () => {
    const { inFlight, changes, extensions } = setUp();
    inFlight.keepHidden('a');
    await seconds(50);
    expect(extensions()).toEqual(['15s a', '30s a', '45s a']);
    expect(changes[0]?.[1]).toEqual([{ receiptHandle: 'a', timeoutSeconds: VISIBILITY_SECONDS }]);
  });

  it('extends messages together that are due together, and never one after its timeout', async () => {
    const { inFlight, extensions } = setUp();
    inFlight.keepHidden('a');
    inFlight.keepHidden('b');
    await seconds(3);
    inFlight.keepHidden('c');
    await seconds(28);
    expect(extensions()).toEqual(['15s a+b', '20s c', '30s a+b']);
  });

  it('keeps a message with a short timeout hidden too', async () => {
    const changes: number[] = [];
    const inFlight = new InFlightMessages({
      api: {
        deleteMessages: () => Promise.resolve([OK]),
        changeVisibility: () => {
          changes.push(Date.now());
          return Promise.resolve([OK]);
        },
      },
      queueUrl: QUEUE,
      visibilityTimeoutSeconds: 2,
      onGivenUp: () => undefined,
      timing: systemTiming,
    });
    const start = Date.now();
    inFlight.keepHidden('a');
    await seconds(4);
    expect(changes.map((at) => at - start)).toEqual([1_000, 2_000, 3_000, 4_000]);
    inFlight.stop();
  });

  it('lets the process end', () => {
    vi.useRealTimers();
    const unref = vi.spyOn(globalThis, 'setInterval');
    const { inFlight } = setUp();
    inFlight.keepHidden('a');
    expect(unref.mock.results[0]?.value.hasRef()).toBe(false);
    inFlight.stop();
    unref.mockRestore();
  });
});

describe('delete', () => {
  it('deletes once, in batches, and stops extending', async () => {
    const { inFlight, deletes, extensions } = setUp();
    inFlight.keepHidden('a');
    inFlight.keepHidden('b');
    await Promise.all([inFlight.delete('a'), inFlight.delete('b')]);
    expect(deletes).toEqual([['a', 'b']]);
    await seconds(60);
    expect(extensions()).toEqual([]);
  });

  it('waits for other deletes for as long as it may, and not past the end', async () => {
    const { inFlight, deletes } = setUp([], { deleteLingerMs: 20 });
    void inFlight.delete('a');
    await vi.advanceTimersByTimeAsync(19);
    void inFlight.delete('b');
    expect(deletes).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(deletes).toEqual([['a', 'b']]);
    void inFlight.delete('c');
    await inFlight.idle();
    expect(deletes).toEqual([['a', 'b'], ['c']]);
  });

  it('waits no longer where ten deletes fill a request; only the rest waits', async () => {
    const { inFlight, deletes } = setUp([], { deleteLingerMs: 20 });
    for (let index = 0; index < 11; index += 1) void inFlight.delete(String(index));
    await vi.advanceTimersByTimeAsync(0);
    expect(deletes.map(({ length }) => length)).toEqual([10]);
    await vi.advanceTimersByTimeAsync(20);
    expect(deletes.map(({ length }) => length)).toEqual([10, 1]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('never waits on a FIFO queue, where its group would', async () => {
    const { inFlight, deletes } = setUp([], { deleteLingerMs: 20, queueUrl: `${QUEUE}.fifo` });
    await inFlight.delete('a');
    expect(deletes).toEqual([['a']]);
  });

  it('packs ten to a request', async () => {
    const { inFlight, deletes } = setUp();
    await Promise.all(Array.from({ length: 25 }, (_, index) => inFlight.delete(String(index))));
    expect(deletes.map(({ length }) => length)).toEqual([10, 10, 5]);
  });

  it('goes on extending the others', async () => {
    const { inFlight, extensions } = setUp();
    inFlight.keepHidden('a');
    inFlight.keepHidden('b');
    await inFlight.delete('a');
    await seconds(15);
    expect(extensions()).toEqual(['15s b']);
  });

  it('tries a transient failure again, of the entry alone or of the whole request', async () => {
    const { inFlight, deletes, errors } = setUp([THROTTLED, OK, new SqsRequestError('DeleteMessageBatch', 'ServiceUnavailable', true)]);
    const all = Promise.all([inFlight.delete('a'), inFlight.delete('b')]);
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
    const { inFlight, deletes, errors } = setUp([answer]);
    await inFlight.delete('a');
    expect(deletes).toHaveLength(1);
    expect(errors).toHaveLength(1);
    expect(`${errors[0]} ${JSON.stringify(errors[0])}`).toContain(said);
  });

  it('gives up a failure that does not pass within half a minute', async () => {
    const { inFlight, deletes, errors } = setUp(Array.from({ length: 99 }, () => THROTTLED));
    const deleted = inFlight.delete('a');
    await seconds(26);
    expect(await stateOf(deleted)).toBe('pending');
    await seconds(4);
    expect(await stateOf(deleted)).toBe('fulfilled');
    expect(errors).toEqual([new SqsRequestError('DeleteMessageBatch', 'RequestThrottled', true)]);
    expect(deletes.length).toBeGreaterThan(8);
    expect(deletes.length).toBeLessThan(15);
  });

  it('survives a listener that throws', async () => {
    const inFlight = new InFlightMessages({
      api: { deleteMessages: () => Promise.resolve([GONE]), changeVisibility: () => Promise.resolve([GONE]) },
      queueUrl: QUEUE,
      visibilityTimeoutSeconds: VISIBILITY_SECONDS,
      onGivenUp: () => {
        throw new Error('listener broke');
      },
      timing: systemTiming,
    });
    inFlight.keepHidden('b');
    await inFlight.delete('a');
    await seconds(20);
    inFlight.stop();
  });
});

describe('release', () => {
  it('changes the visibility to the delay and stops extending', async () => {
    const { inFlight, changes } = setUp();
    inFlight.keepHidden('a');
    await inFlight.release('a', 7);
    await seconds(60);
    expect(changes).toEqual([[0, [{ receiptHandle: 'a', timeoutSeconds: 7 }]]]);
  });

  it('tries again, and gives up loudly', async () => {
    const { inFlight, changes, errors } = setUp([THROTTLED, GONE]);
    const released = inFlight.release('a', 0);
    await seconds(1);
    await released;
    expect(changes).toHaveLength(2);
    expect(errors).toEqual([new SqsRequestError('ChangeMessageVisibilityBatch', 'ReceiptHandleIsInvalid', false)]);
  });
});

describe('letExpire', () => {
  it('stops extending and asks SQS for nothing', async () => {
    const { inFlight, changes, deletes } = setUp();
    inFlight.keepHidden('a');
    inFlight.letExpire('a');
    await seconds(60);
    expect([changes, deletes]).toEqual([[], []]);
  });
});

describe('an extension that fails', () => {
  it('gets another try while the message is kept hidden', async () => {
    const { inFlight, extensions, errors } = setUp([THROTTLED]);
    inFlight.keepHidden('a');
    await seconds(16);
    expect(extensions()).toEqual(['15s a', '15.1s a']);
    expect(errors).toEqual([]);
  });

  it('gets reported when it is given up, and tried anew at the next half time', async () => {
    const { inFlight, extensions, errors } = setUp([GONE]);
    inFlight.keepHidden('a');
    await seconds(31);
    expect(extensions()).toEqual(['15s a', '30s a']);
    expect(errors).toEqual([new SqsRequestError('ChangeMessageVisibilityBatch', 'ReceiptHandleIsInvalid', false)]);
  });

  it('gets no other try after the message was released: that would hide it again', async () => {
    const { inFlight, changes } = setUp([THROTTLED]);
    inFlight.keepHidden('a');
    await seconds(15);
    await inFlight.release('a', 0);
    await seconds(60);
    expect(changes.map(([, entries]) => entries[0]?.timeoutSeconds)).toEqual([VISIBILITY_SECONDS, 0]);
  });

  it('reports no failure once the message was deleted', async () => {
    const answer = deferred<EntryOutcome[]>();
    const errors: unknown[] = [];
    const inFlight = new InFlightMessages({
      api: { deleteMessages: () => Promise.resolve([OK]), changeVisibility: () => answer.promise },
      queueUrl: QUEUE,
      visibilityTimeoutSeconds: VISIBILITY_SECONDS,
      onGivenUp: (error) => errors.push(error),
      timing: systemTiming,
    });
    inFlight.keepHidden('a');
    await seconds(15);
    await inFlight.delete('a');
    answer.resolve([GONE]);
    await seconds(1);
    expect(errors).toEqual([]);
  });
});

describe('the timer', () => {
  it('serves messages that come and go, and ends soon after the last', async () => {
    const { inFlight } = setUp();
    expect(vi.getTimerCount()).toBe(0);
    inFlight.keepHidden('a');
    inFlight.keepHidden('b');
    expect(vi.getTimerCount()).toBe(1);
    await inFlight.delete('a');
    await seconds(5);
    expect(vi.getTimerCount()).toBe(1);
    await inFlight.release('b', 0);
    await seconds(5);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('ends at once when nothing is hidden any more and all is settled, or with a stop', async () => {
    const { inFlight } = setUp();
    inFlight.keepHidden('a');
    await inFlight.delete('a');
    await inFlight.idle();
    expect(vi.getTimerCount()).toBe(0);
    inFlight.keepHidden('b');
    inFlight.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('starts again after a stop', async () => {
    const { inFlight, extensions } = setUp();
    inFlight.keepHidden('a');
    inFlight.stop();
    await seconds(20);
    expect(extensions()).toEqual([]);
    inFlight.keepHidden('b');
    await seconds(15);
    expect(extensions()).toEqual(['35s b']);
  });
});

describe('idle', () => {
  it('waits for deletes and visibility changes, those included that sleep before their next try', async () => {
    const { inFlight, deletes } = setUp([THROTTLED, THROTTLED]);
    expect(await stateOf(inFlight.idle())).toBe('fulfilled');
    void inFlight.delete('a');
    void inFlight.release('b', 0);
    const idle = inFlight.idle();
    await vi.advanceTimersByTimeAsync(50);
    expect(await stateOf(idle)).toBe('pending');
    await vi.advanceTimersByTimeAsync(300);
    expect(await stateOf(idle)).toBe('fulfilled');
    expect(deletes.at(-1)).toEqual(['a']);
  });

  it('waits for no message that is merely kept hidden', async () => {
    const { inFlight } = setUp();
    inFlight.keepHidden('a');
    await inFlight.idle();
    inFlight.stop();
  });
});
