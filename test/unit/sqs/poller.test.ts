import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { InFlightMessages } from '../../../src/sqs/in-flight-messages.ts';
import { Poller, type PollerOptions } from '../../../src/sqs/poller.ts';
import type { EntryOutcome, ReceivedMessage, ReceiveOptions } from '../../../src/sqs/sqs-api.ts';
import { type Deferred, deferred, stateOf } from '../../support/deferred.ts';
import { FakeTiming, settle } from '../../support/fake-timing.ts';

const QUEUE = 'https://sqs.eu-west-1.amazonaws.com/1/durable-results';

const RECEIVE = { waitTimeSeconds: 20, visibilityTimeoutSeconds: 30 };
const accept = (_queueUrl: string, entries: readonly unknown[]) => Promise.resolve(entries.map((): EntryOutcome => ({ ok: true })));
const settlesAll = { deleteMessages: accept, changeVisibility: accept };

interface Receive {
  readonly options: ReceiveOptions;
  readonly answer: Deferred<ReceivedMessage[]>;
}

function messages(count: number): ReceivedMessage[] {
  return Array.from({ length: count }, (_, index) => ({
    messageId: `m${index}`,
    receiptHandle: `r${index}`,
    body: '',
    receiveCount: 1,
    attributeNames: [],
  }));
}

/** A poller whose receives are answered by hand. `open` are those in flight, oldest first. */
function setUp(options: Partial<PollerOptions> = {}) {
  const timing = new FakeTiming();
  const open: Receive[] = [];
  const handed: number[] = [];
  const errors: [string, number, string | undefined][] = [];
  const room = { left: 1_000 };
  const poller = new Poller({
    api: {
      receiveMessages: (_queueUrl, receiveOptions, signal) => {
        const receive = { options: receiveOptions, answer: deferred<ReceivedMessage[]>() };
        open.push(receive);
        signal?.addEventListener('abort', () => receive.answer.reject(new Error('aborted')), { once: true });
        return receive.answer.promise.finally(() => open.splice(open.indexOf(receive), 1));
      },
      ...settlesAll,
    },
    queueUrl: () => Promise.resolve(QUEUE),
    receive: RECEIVE,
    maxReceivers: 3,
    room: () => room.left,
    onMessages: (received) => handed.push(received.length),
    onError: (error, retryInMs, queueUrl) => errors.push([String(error), retryInMs, queueUrl]),
    onGivenUp: (error) => expect.fail(String(error)),
    timing,
    ...options,
  });
  const answer = async (...counts: number[]) => {
    // All at once: answers may well arrive within one turn of the event loop.
    for (const [index, count] of counts.entries()) open[index]?.answer.resolve(messages(count));
    await settle();
  };
  const start = async () => {
    poller.start();
    await settle();
  };
  const asked = () => open.map(({ options: { maxMessages } }) => maxMessages);
  return { poller, timing, open, handed, errors, room, answer, start, asked };
}

describe('receiving', () => {
  it('asks for ten with the options it was given and hands over what comes', async () => {
    const { open, handed, answer, start } = setUp({ receive: { waitTimeSeconds: 7, visibilityTimeoutSeconds: 30, attributeNames: ['a'] } });
    await start();
    expect(open[0]?.options).toEqual({ maxMessages: 10, waitTimeSeconds: 7, visibilityTimeoutSeconds: 30, attributeNames: ['a'] });
    await answer(3);
    expect(handed).toEqual([3]);
    expect(open).toHaveLength(1);
  });

  it('hands over the queue URL that the messages came from', async () => {
    const urls: string[] = [];
    const { answer, start } = setUp({ onMessages: (_received, { queueUrl }) => urls.push(queueUrl) });
    await start();
    await answer(1);
    expect(urls).toEqual([QUEUE]);
  });

  it('polls again when what the messages set going has been done', async () => {
    const order: string[] = [];
    const reactions = async () => {
      for (let reaction = 0; reaction < 50; reaction += 1) await undefined;
      order.push('next task');
    };
    const answers = [messages(1)];
    const { poller, start } = setUp({
      api: {
        receiveMessages: async (_queueUrl, _options, signal) => {
          order.push('poll');
          const received = answers.shift();
          return received ?? new Promise((resolve) => signal?.addEventListener('abort', () => resolve([])));
        },
        ...settlesAll,
      },
      onMessages: () => void reactions(),
    });
    await start();
    expect(order).toEqual(['poll', 'next task', 'poll']);
    void poller.stop();
  });

  it('hands over nothing for an empty receive, and goes on alone', async () => {
    const { handed, open, answer, start } = setUp();
    await start();
    await answer(0);
    expect(handed).toEqual([]);
    expect(open).toHaveLength(1);
  });

  it('asks a queue that answers at once that it is empty once a second, and at full speed when messages come', async () => {
    const { timing, open, answer, start } = setUp();
    await start();
    for (let receives = 0; receives < 12; receives += 1) {
      await answer(0);
      await timing.advance(timing.slept.at(-1) ?? 0);
    }
    expect(timing.slept).toEqual([25, 50, 100, 200, 400, 800, 1_000, 1_000, 1_000, 1_000, 1_000]);
    await answer(1);
    await answer(0);
    expect(timing.slept).toHaveLength(11);
    expect(open).toHaveLength(1);
  });

  it('asks again at once after a long poll that brought nothing', async () => {
    const { timing, open, answer, start } = setUp();
    await start();
    for (let receives = 0; receives < 3; receives += 1) {
      await timing.advance(20_000);
      await answer(0);
    }
    expect(timing.slept).toEqual([]);
    expect(open).toHaveLength(1);
  });

  it('stops while it pauses', async () => {
    const { poller, timing, answer, start } = setUp();
    await start();
    await answer(0);
    await answer(0);
    expect(timing.sleeping).toBe(1);
    await poller.stop();
    expect(timing.sleeping).toBe(0);
  });

  it('has one receiver however often it is started', async () => {
    const { poller, open, start } = setUp();
    await start();
    poller.start();
    await settle();
    expect(open).toHaveLength(1);
  });
});

describe('messages in flight', () => {
  it('stay hidden from their receive on, and the poller is settled when SQS has been told of all', async () => {
    const hidden: string[] = [];
    const keepHidden = vi.spyOn(InFlightMessages.prototype, 'keepHidden').mockImplementation((handle) => void hidden.push(handle));
    const told = deferred<EntryOutcome[]>();
    let inFlight: InFlightMessages | undefined;
    const { poller, answer, start } = setUp({
      api: { receiveMessages: async (_queueUrl, _options, signal) => received(signal), ...settlesAll, deleteMessages: () => told.promise },
      onMessages: (_messages, these) => {
        expect(hidden).toEqual(['r0', 'r1']);
        inFlight = these;
      },
    });
    const answers = [messages(2)];
    const received = (signal: AbortSignal | undefined) =>
      answers.shift() ?? new Promise<ReceivedMessage[]>((resolve) => signal?.addEventListener('abort', () => resolve([])));
    await start();
    await answer();
    await poller.settled();
    void inFlight?.delete('r0');
    const settled = poller.settled();
    expect(await stateOf(settled)).toBe('pending');
    told.resolve([{ ok: true }]);
    await settle();
    expect(await stateOf(settled)).toBe('fulfilled');
    keepHidden.mockRestore();
    void poller.stop();
  });

  it('belong to the queue that they came from: one that was made anew has another URL', async () => {
    const urls = [QUEUE, QUEUE, `${QUEUE}-anew`];
    const seen: InFlightMessages[] = [];
    const { answer, start } = setUp({
      queueUrl: async () => urls.shift() ?? QUEUE,
      onMessages: (_messages, inFlight) => seen.push(inFlight),
    });
    await start();
    for (let receives = 0; receives < 3; receives += 1) await answer(1);
    expect(seen[0]).toBe(seen[1]);
    expect(seen.map(({ queueUrl }) => queueUrl)).toEqual([QUEUE, QUEUE, `${QUEUE}-anew`]);
    for (const inFlight of seen) inFlight.stop();
  });
});

describe('growing and shrinking', () => {
  it('adds a receiver for each full receive, up to its limit', async () => {
    const { open, answer, start } = setUp();
    const counts: number[] = [];
    await start();
    for (let round = 0; round < 4; round += 1) {
      await answer(10);
      counts.push(open.length);
    }
    expect(counts).toEqual([2, 3, 3, 3]);
  });

  it('keeps its receivers on a receive that is not full', async () => {
    const { open, answer, start } = setUp();
    await start();
    await answer(9);
    expect(open).toHaveLength(1);
  });

  it('drops a receiver for each empty receive, but never the last', async () => {
    const { timing, open, answer, start } = setUp();
    await start();
    await answer(10);
    await answer(10);
    await answer(0);
    expect(open).toHaveLength(2);
    await answer(0);
    expect(open).toHaveLength(1);
    await answer(0);
    await timing.advance(25);
    expect(open).toHaveLength(1);
  });

  it('keeps one when all come back empty within one turn', async () => {
    const { open, answer, start } = setUp();
    await start();
    await answer(10);
    await answer(10);
    expect(open).toHaveLength(3);
    await answer(0, 0, 0);
    expect(open).toHaveLength(1);
    await answer(10);
    expect(open).toHaveLength(2);
  });
});

describe('room', () => {
  it('asks for no more than there is room for, what is in flight counted in', async () => {
    const { asked, answer, start, room } = setUp();
    room.left = 14;
    await start();
    expect(asked()).toEqual([10]);
    await answer(10);
    // The owner counts what it holds; here it has worked off all ten.
    expect(asked()).toEqual([10, 4]);
  });

  it('waits while there is none, and goes on when it is woken', async () => {
    const { poller, asked, start, room } = setUp();
    room.left = 0;
    await start();
    expect(asked()).toEqual([]);
    poller.wake();
    await settle();
    expect(asked()).toEqual([]);
    room.left = 2;
    poller.wake();
    await settle();
    expect(asked()).toEqual([2]);
  });

  it('keeps one receiver waiting when the room runs out for all within one turn', async () => {
    const { poller, asked, answer, start, room } = setUp();
    await start();
    await answer(10);
    await answer(10);
    room.left = 0;
    await answer(5, 5, 5);
    expect(asked()).toEqual([]);
    room.left = 10;
    poller.wake();
    await settle();
    expect(asked()).toEqual([10]);
  });

  it('keeps its count when the taker of the messages throws', async () => {
    const { asked, answer, start, room, timing, errors } = setUp({
      maxReceivers: 1,
      onMessages: () => {
        throw new Error('taker broke');
      },
    });
    room.left = 4;
    await start();
    await answer(4);
    expect(errors).toEqual([['Error: taker broke', 100, QUEUE]]);
    await timing.advance(100);
    expect(asked()).toEqual([4]);
  });

  it('never claims more than there is room for, whatever comes', async () => {
    const event = fc.record({ kind: fc.constantFrom('answer', 'fail', 'done', 'wait'), which: fc.nat(3), count: fc.nat(10) });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 40 }), fc.array(event, { maxLength: 60 }), async (capacity, events) => {
        let held = 0;
        const { poller, open, timing } = setUp({
          maxReceivers: 4,
          room: () => capacity - held,
          onMessages: (received) => {
            held += received.length;
          },
        });
        const check = () => {
          const claimed = open.reduce((sum, { options }) => sum + options.maxMessages, 0);
          expect(claimed + held).toBeLessThanOrEqual(capacity);
          expect(open.length).toBeLessThanOrEqual(4);
        };
        poller.start();
        for (const { kind, which, count } of events) {
          const receive = open[which % Math.max(1, open.length)];
          if (kind === 'answer') receive?.answer.resolve(messages(Math.min(count, receive.options.maxMessages)));
          if (kind === 'fail') receive?.answer.reject(new Error('down'));
          if (kind === 'done') {
            held = Math.max(0, held - count);
            poller.wake();
          }
          // Not after every event, so that several fall into one turn.
          if (kind === 'wait') await timing.advance(count * 1_000);
          check();
        }
        // It still lives: with all the room there is and no failure, it receives again.
        await settle();
        held = 0;
        poller.wake();
        await timing.advance(20_000);
        check();
        expect(open.length).toBeGreaterThan(0);
        const stopped = poller.stop();
        await timing.advance(500);
        await stopped;
      }),
      { numRuns: 300 },
    );
  });
});

describe('failures', () => {
  it('backs off longer each time and starts afresh after a success', async () => {
    const { open, timing, errors, answer, start } = setUp();
    await start();
    for (let failures = 0; failures < 9; failures += 1) {
      open[0]?.answer.reject(new Error('throttled'));
      await settle();
      expect(open).toHaveLength(0);
      await timing.advance(10_000);
    }
    expect(errors.map(([, retryInMs]) => retryInMs)).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
    expect(errors[0]).toEqual(['Error: throttled', 100, QUEUE]);
    expect(timing.slept).toEqual(errors.map(([, retryInMs]) => retryInMs));
    await answer(1);
    open[0]?.answer.reject(new Error('throttled'));
    await settle();
    expect(errors.at(-1)?.[1]).toBe(100);
  });

  it('survives a look-up that fails, and asks again', async () => {
    let found = false;
    const { open, timing, errors, start } = setUp({
      queueUrl: () => (found ? Promise.resolve(QUEUE) : Promise.reject(new Error('missing'))),
    });
    await start();
    expect(errors).toEqual([['Error: missing', 100, undefined]]);
    found = true;
    await timing.advance(100);
    expect(open).toHaveLength(1);
  });

  it('survives a look-up that throws at once, and a listener that throws', async () => {
    let tries = 0;
    const { open, timing, start } = setUp({
      queueUrl: () => {
        tries += 1;
        if (tries < 3) throw new Error('resolver broke');
        return Promise.resolve(QUEUE);
      },
      onError: () => {
        throw new Error('listener broke');
      },
    });
    await start();
    await timing.advance(300);
    expect(tries).toBe(3);
    expect(open).toHaveLength(1);
  });

  it('gives back the room that a failed receive had claimed', async () => {
    const { open, timing, room, asked, start } = setUp();
    room.left = 3;
    await start();
    open[0]?.answer.reject(new Error('down'));
    await timing.advance(100);
    expect(asked()).toEqual([3]);
  });
});

describe('stop', () => {
  it('gives long polls a moment, then aborts them, and resolves when they have ended', async () => {
    const { poller, open, errors, answer, start, timing } = setUp();
    await start();
    await answer(10);
    expect(open).toHaveLength(2);
    const stopped = poller.stop();
    await timing.advance(499);
    expect(open).toHaveLength(2);
    await timing.advance(1);
    await stopped;
    expect(open).toHaveLength(0);
    expect(errors).toEqual([]);
  });

  it('takes what SQS was answering just then: cut, it would stay hidden for its visibility timeout', async () => {
    const { poller, open, handed, answer, start, timing } = setUp();
    await start();
    const stopped = poller.stop();
    await answer(10);
    await stopped;
    expect(handed).toEqual([10]);
    expect(open).toHaveLength(0);
    expect(timing.sleeping).toBe(0);
  });

  it('hands over what a receive brings that can no longer be aborted', async () => {
    const answers: Deferred<ReceivedMessage[]>[] = [];
    const { poller, handed, start } = setUp({
      api: {
        receiveMessages: () => {
          const answer = deferred<ReceivedMessage[]>();
          answers.push(answer);
          return answer.promise;
        },
        ...settlesAll,
      },
    });
    await start();
    const stopped = poller.stop();
    await settle();
    expect(await stateOf(stopped)).toBe('pending');
    answers[0]?.resolve(messages(10));
    await stopped;
    expect(handed).toEqual([10]);
    expect(answers).toHaveLength(1);
  });

  it('wakes a receiver that waits for room, and one that backs off', async () => {
    const full = setUp();
    full.room.left = 0;
    await full.start();
    await full.poller.stop();

    const failing = setUp();
    await failing.start();
    failing.open[0]?.answer.reject(new Error('down'));
    await settle();
    expect(failing.timing.sleeping).toBe(1);
    await failing.poller.stop();
    expect(failing.timing.sleeping).toBe(0);
  });

  it('receives nothing after a look-up that ended too late', async () => {
    const lookUp = deferred<string>();
    const { poller, open, start } = setUp({ queueUrl: () => lookUp.promise });
    await start();
    const stopped = poller.stop();
    lookUp.resolve(QUEUE);
    await stopped;
    expect(open).toHaveLength(0);
  });

  it('ends it for good, and may come before the start', async () => {
    const { poller, open } = setUp();
    await poller.stop();
    poller.start();
    await settle();
    expect(open).toHaveLength(0);
  });
});
