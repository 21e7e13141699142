import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Batcher, type BatcherOptions } from '../../../src/sqs/batcher.ts';
import { type Deferred, deferred } from '../../support/deferred.ts';
import { settle } from '../../support/fake-timing.ts';

interface Flush {
  readonly items: readonly string[];
  readonly answer: Deferred<readonly string[]>;
}

/** A batcher whose requests are answered by hand. */
function manual(options: Partial<BatcherOptions<string, string>> = {}) {
  const flushes: Flush[] = [];
  const batcher = new Batcher<string, string>({
    maxEntries: 10,
    maxInFlight: 1,
    flush: (items) => {
      const answer = deferred<readonly string[]>();
      flushes.push({ items, answer });
      return answer.promise;
    },
    ...options,
  });
  const accept = async (index: number) => {
    const flush = flushes[index];
    if (flush === undefined) throw new RangeError(`no request ${index}`);
    flush.answer.resolve(flush.items.map((item) => `${item}!`));
    await settle();
  };
  const batches = () => flushes.map(({ items }) => items.join(''));
  return { batcher, flushes, accept, batches };
}

describe('group commit', () => {
  it('sends the first item at once, without a timer', async () => {
    const { batcher, batches, accept } = manual();
    const a = batcher.add('a');
    await Promise.resolve();
    expect(batches()).toEqual(['a']);
    await accept(0);
    expect(await a).toBe('a!');
  });

  it('sends items of one turn of the event loop together', async () => {
    const { batcher, batches } = manual({ maxInFlight: 2 });
    for (const item of 'abc') void batcher.add(item);
    await settle();
    expect(batches()).toEqual(['abc']);
  });

  it('sends what arrives while a request is in flight together with the next', async () => {
    const { batcher, batches, accept } = manual();
    void batcher.add('a');
    await settle();
    void batcher.add('b');
    await settle();
    void batcher.add('c');
    await settle();
    expect(batches()).toEqual(['a']);
    await accept(0);
    expect(batches()).toEqual(['a', 'bc']);
  });

  it('packs by count', async () => {
    const { batcher, batches } = manual({ maxEntries: 3, maxInFlight: 9 });
    for (const item of 'abcdefgh') void batcher.add(item);
    await settle();
    expect(batches()).toEqual(['abc', 'def', 'gh']);
  });

  it('packs by bytes, keeps the order, and sends an item over the limit alone: SQS is who refuses it', async () => {
    const { batcher, batches } = manual({ maxBytes: 10, maxInFlight: 9 });
    const sizes: [string, number][] = [
      ['a', 4],
      ['b', 6],
      ['c', 1],
      ['D', 50],
      ['e', 9],
      ['f', 2],
      ['g', 8],
    ];
    for (const [item, bytes] of sizes) void batcher.add(item, bytes);
    await settle();
    expect(batches()).toEqual(['ab', 'c', 'D', 'e', 'fg']);
  });

  it('has no more requests in flight than it may, and starts the next when one ends', async () => {
    const { batcher, batches, accept } = manual({ maxEntries: 1, maxInFlight: 2 });
    for (const item of 'abcd') void batcher.add(item);
    await settle();
    expect(batches()).toEqual(['a', 'b']);
    await accept(1);
    expect(batches()).toEqual(['a', 'b', 'c']);
    await accept(0);
    expect(batches()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('keeps the order with one request in flight', async () => {
    const { batcher, batches, accept } = manual({ maxEntries: 2 });
    for (const item of 'abcde') void batcher.add(item);
    for (let index = 0; index < 3; index += 1) {
      await settle();
      await accept(index);
    }
    expect(batches()).toEqual(['ab', 'cd', 'e']);
  });
});

describe('outcomes', () => {
  it('gives each item its own', async () => {
    const { batcher, flushes } = manual();
    const all = Promise.all([batcher.add('a'), batcher.add('b')]);
    await settle();
    flushes[0]?.answer.resolve(['accepted', 'refused']);
    expect(await all).toEqual(['accepted', 'refused']);
  });

  it('rejects only the items of a request that rejected, and lives on', async () => {
    const { batcher, flushes, accept } = manual({ maxEntries: 2 });
    const all = Promise.allSettled(['a', 'b', 'c'].map((item) => batcher.add(item)));
    await settle();
    flushes[0]?.answer.reject(new Error('socket hang up'));
    await settle();
    await accept(1);
    expect((await all).map((result) => (result.status === 'fulfilled' ? result.value : String(result.reason)))).toEqual([
      'Error: socket hang up',
      'Error: socket hang up',
      'c!',
    ]);
    const d = batcher.add('d');
    await settle();
    await accept(2);
    expect(await d).toBe('d!');
  });

  it('rejects items for which there is no outcome', async () => {
    const { batcher, flushes } = manual();
    const all = Promise.allSettled([batcher.add('a'), batcher.add('b')]);
    await settle();
    flushes[0]?.answer.resolve(['only']);
    expect(await all).toEqual([
      { status: 'fulfilled', value: 'only' },
      { status: 'rejected', reason: new RangeError('expected 2 outcomes, got 1') },
    ]);
  });

  it('survives a request that throws at once, however long the backlog', async () => {
    const batcher = new Batcher<number, string>({
      maxEntries: 1,
      maxInFlight: 1,
      flush: () => {
        throw new Error('not even started');
      },
    });
    const all = Promise.allSettled(Array.from({ length: 20_000 }, (_, item) => batcher.add(item)));
    expect((await all).every(({ status }) => status === 'rejected')).toBe(true);
  });
});

describe('any traffic', () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('add' as const), bytes: fc.nat(12) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('turn' as const, 'accept' as const, 'reject' as const), bytes: fc.nat(3) }) },
  );

  it('settles every item exactly once with its own outcome, within all limits and in order', async () => {
    const limits = fc.record({
      maxEntries: fc.integer({ min: 1, max: 5 }),
      maxBytes: fc.integer({ min: 1, max: 30 }),
      maxInFlight: fc.integer({ min: 1, max: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(limits, fc.array(step, { maxLength: 60 }), async (options, steps) => {
        const { maxEntries, maxBytes, maxInFlight } = options;
        const open: { items: readonly number[]; answer: Deferred<readonly number[]> }[] = [];
        const order: number[] = [];
        const sizes: number[] = [];
        const expected: ('ok' | 'failed' | undefined)[] = [];
        const got: string[][] = [];
        const batcher = new Batcher<number, number>({
          ...options,
          flush: (items) => {
            const answer = deferred<readonly number[]>();
            open.push({ items, answer });
            order.push(...items);
            expect(items.length).toBeGreaterThan(0);
            expect(items.length).toBeLessThanOrEqual(maxEntries);
            const bytes = items.reduce((sum, item) => sum + (sizes[item] ?? 0), 0);
            expect(items.length === 1 || bytes <= maxBytes).toBe(true);
            expect(open.length).toBeLessThanOrEqual(maxInFlight);
            return answer.promise;
          },
        });
        const end = (index: number, how: 'ok' | 'failed') => {
          const [flush] = open.splice(index % Math.max(1, open.length), 1);
          if (flush === undefined) return;
          for (const item of flush.items) expected[item] = how;
          if (how === 'ok') flush.answer.resolve(flush.items);
          else flush.answer.reject(new Error('down'));
        };
        for (const { kind, bytes } of steps) {
          if (kind === 'add') {
            const item = sizes.push(bytes) - 1;
            const outcomes: string[] = [];
            got.push(outcomes);
            batcher.add(item, bytes).then(
              (outcome) => outcomes.push(outcome === item ? 'ok' : 'wrong'),
              () => outcomes.push('failed'),
            );
          } else if (kind === 'turn') await settle();
          else end(bytes, kind === 'accept' ? 'ok' : 'failed');
        }
        await settle();
        while (open.length > 0) {
          end(0, 'ok');
          await settle();
        }
        expect(got).toEqual(expected.map((how) => [how]));
        expect(order).toEqual(sizes.map((_, item) => item));
      }),
      { numRuns: 300 },
    );
  });

  it('takes a backlog of 100,000 items in linear time', async () => {
    const timeFor = async (count: number) => {
      const batcher = new Batcher<number, number>({ maxEntries: 10, maxInFlight: 2, flush: (items) => Promise.resolve(items) });
      const before = process.cpuUsage();
      const outcomes = await Promise.all(Array.from({ length: count }, (_, item) => batcher.add(item)));
      expect(outcomes[count - 1]).toBe(count - 1);
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000;
    };
    // The best of three, in processor time: other programs take their share of the machine.
    const best = async (count: number) => Math.min(await timeFor(count), await timeFor(count), await timeFor(count));
    const small = Math.max(10, await best(10_000));
    // Linear is a factor of 10; quadratic would be 100.
    expect(await best(100_000)).toBeLessThan(small * 50);
  });
});
