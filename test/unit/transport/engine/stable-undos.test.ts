import { InMemoryStateStore, type StepCheckpoint, type StepError, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { inPlace, installStableUndos } from '../../../../src/transport/engine/stable-undos.ts';
import { EngineInstance } from '../../../support/engine-instances.ts';
import { pass } from '../fake-sqs.ts';

const DECLINED: { status: 'failed'; error: StepError } = { status: 'failed', error: { message: 'declined', retryable: false } };

describe('a saga whose steps run side by side', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 1_000_000 });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** Answers what has been dispatched, in an order of step names; says what was undone, in the order of dispatch. */
  async function undone(order: readonly string[]) {
    const instance = new EngineInstance(new InMemoryStateStore(), 'one');
    instance.engine.register('trip', '1', (ctx) =>
      Promise.all([
        ctx.step('hotel', 1, { compensate: 'hotel.undo' }),
        ctx.step('charge', 2, { retries: 0 }),
        ctx.step('car', 3, { compensate: 'car.undo' }),
        ctx.step('flight', 4, { compensate: 'flight.undo' }),
      ]),
    );
    await instance.engine.start('trip', {}, 'run');
    await pass(100);
    const answered = new Set<string>();
    const undos = () => instance.tasks.filter(({ name }) => name.endsWith('.undo'));
    const answer = async (name: string) => {
      for (const task of instance.tasks.filter((task) => task.name === name && !answered.has(task.stepId))) {
        answered.add(task.stepId);
        void instance.answer(task, name === 'charge' ? DECLINED : { output: `${name} 1` });
        await pass(100);
      }
    };
    for (const name of order) await answer(name);
    // One is dispatched when the one before it is done.
    while (undos().some(({ stepId }) => !answered.has(stepId))) for (const { name } of undos()) await answer(name);
    expect(await instance.engine.getRun('run')).toMatchObject({ status: 'failed', error: { message: 'declined' } });
    return undos().map(({ name, input }) => [name, input]);
  }

  const steps = ['hotel', 'charge', 'car', 'flight', 'hotel.undo', 'car.undo', 'flight.undo'];

  it.each([
    'hotel charge hotel.undo car flight',
    'hotel charge car hotel.undo flight car.undo',
    'flight charge flight.undo hotel car',
    'charge flight car hotel',
    'hotel car flight charge',
  ])('undoes each of them once, with what it had: %s', async (order) => {
    expect((await undone(order.split(' '))).toSorted()).toEqual([
      ['car.undo', { input: 3, output: 'car 1' }],
      ['flight.undo', { input: 4, output: 'flight 1' }],
      ['hotel.undo', { input: 1, output: 'hotel 1' }],
    ]);
  });

  it('undoes each of them once, in whatever order their results come', async () => {
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(steps, { minLength: steps.length }), async (order) => {
        // What is left out is answered last: an undo that was not yet dispatched, a step that was.
        const names = (await undone([...order, ...steps])).map(([name]) => name);
        expect(names.toSorted()).toEqual(['car.undo', 'flight.undo', 'hotel.undo']);
      }),
      { numRuns: 60 },
    );
  });
});

const dispatched = (name: string, input: number) => ({ name, dispatch: { def: { name: `${name}.undo` }, args: { input, output: 'ok' } } });
const inProcess = (name: string) => ({ name, fn: async () => undefined });
const undo = (seq: number, name: string, input?: number, at = 0): StepCheckpoint => ({
  runId: 'run',
  seq,
  name: `compensate:${name}`,
  kind: input === undefined ? 'local' : 'remote',
  stepId: `run:${seq}`,
  status: 'completed',
  ...(input === undefined ? {} : { input: { output: 'ok', input } }),
  attempts: 1,
  enqueuedAt: new Date(at * 1_000),
  startedAt: new Date(at * 1_000),
  finishedAt: new Date(at * 1_000),
});

describe('inPlace', () => {
  it('leaves steps alone of which none is undone yet', () => {
    const steps = [dispatched('a', 1), inProcess('b')];
    expect(inPlace(steps, [])).toBe(steps);
  });

  it('tells steps of one name apart by what they had', () => {
    const [first, second, late] = [dispatched('a', 1), dispatched('a', 2), dispatched('a', 3)];
    expect(inPlace([first, late, second], [undo(-1, 'a', 2), undo(-2, 'a', 1)])).toEqual([late, first, second]);
  });

  it('undoes steps of one name once each, which nothing but their time tells apart', () => {
    const event = fc.record({ isFailure: fc.boolean(), pick: fc.nat(), undos: fc.nat({ max: 2 }) });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.array(event, { maxLength: 12 }), (count, events) => {
        const steps = Array.from({ length: count }, () => inProcess('a'));
        const [completed, checkpoints]: [number[], StepCheckpoint[]] = [[], []];
        const undone: unknown[] = [];
        let hasFailed = false;
        /** A turn: the engine undoes what has completed, as far as it gets. */
        const unwind = (now: number, most: number) => {
          const before = undone.length;
          const places = inPlace(
            completed.toSorted((one, other) => one - other).map((seq) => steps[seq]),
            checkpoints,
          );
          for (let seq = -1; seq >= -places.length; seq -= 1) {
            if (checkpoints.some((checkpoint) => checkpoint.seq === seq)) continue;
            if (undone.length >= before + most) return;
            undone.push(places.at(seq));
            checkpoints.push(undo(seq, 'a', undefined, now));
          }
        };
        const rest = Array.from({ length: count }, () => ({ isFailure: false, pick: 0, undos: count }));
        for (const [now, { isFailure, pick, undos }] of [...events, { isFailure: true, pick: 0, undos: 1 }, ...rest].entries()) {
          hasFailed ||= isFailure;
          const out = steps.map((_, seq) => seq).filter((seq) => !completed.includes(seq));
          const seq = isFailure ? undefined : out[pick % out.length];
          if (seq !== undefined) {
            completed.push(seq);
            checkpoints.push({ ...undo(seq, 'a', undefined, now), name: 'a' });
          }
          if (hasFailed) unwind(now + 0.5, undos);
        }
        expect(undone).toHaveLength(count);
        expect(new Set(undone)).toEqual(new Set(steps));
        expect(steps.filter((step) => !undone.includes(step))).toEqual([]);
      }),
    );
  });

  it('knows a step whose values a store gives back otherwise by its name', () => {
    const step = { name: 'a', dispatch: { def: { name: 'a.undo' }, args: { input: 1n, output: 'ok' } } };
    expect(inPlace([step, dispatched('b', 2)], [undo(-1, 'a', 1)])).toEqual([dispatched('b', 2), step]);
  });

  it('knows steps by their output whose input is another one in each turn', () => {
    const at = (input: number, output: string) => ({ name: 'a', dispatch: { def: { name: 'a.undo' }, args: { input, output } } });
    const [first, second, late] = [at(10, 'first'), at(11, 'second'), at(12, 'late')];
    const undone = { ...undo(-1, 'a', 1), input: { input: 1, output: 'first' } };
    expect(inPlace([first, late, second], [undone])).toEqual([late, second, first]);
  });

  it('tells steps by their time that have an output in common, and an input that is another one in each turn', () => {
    const at = (input: number) => ({ name: 'a', dispatch: { def: { name: 'a.undo' }, args: { input, output: 'ok' } } });
    const [first, late] = [at(10), at(11)];
    const done = (seq: number, finishedAt: number) => ({ ...undo(seq, 'a', seq, finishedAt), name: 'a' });
    const places = inPlace([first, late], [done(0, 1), done(1, 9), undo(-1, 'a', 1, 5)]);
    expect(places).toEqual([late, first]);
  });

  it('leaves the place empty of an undo whose step is gone: a workflow that was changed', () => {
    expect(inPlace([dispatched('b', 2)], [undo(-1, 'a', 1)])).toEqual([dispatched('b', 2), undefined]);
  });
});

describe('installStableUndos', () => {
  it('finds the method of the engine. If this fails after an upgrade of the core package, late steps are not undone', () => {
    const engine = new WorkflowEngine({ store: new InMemoryStateStore() });
    const before: unknown = Reflect.get(engine, 'unwindCompensations');
    installStableUndos(engine);
    expect(before).toBeTypeOf('function');
    expect(Reflect.get(engine, 'unwindCompensations')).not.toBe(before);
  });

  it('leaves an engine alone that has no such method', () => {
    const engine = {};
    installStableUndos(engine);
    expect(engine).toEqual({});
  });
});
