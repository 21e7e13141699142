import type { EngineEventType } from '@dudousxd/nestjs-durable-core';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TransportClosedError } from '../../../src/errors.ts';
import { steadyNow } from '../../../src/time.ts';
import { EventTurns } from '../../../src/transport/event-turns.ts';
import { ResultOrder } from '../../../src/transport/result-order.ts';
import { TimedTurns } from '../../../src/transport/timed-turns.ts';
import type { Turns } from '../../../src/transport/turns.ts';
import type { StepResult } from '../../../src/wire/step-result.ts';
import { type Deferred, deferred, stateOf } from '../../support/deferred.ts';
import { settle } from '../../support/fake-timing.ts';

const NEVER = Number.POSITIVE_INFINITY;
const MAX_HOLD_MS = 60_000;

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const stepOf = (seq: number, runId = 'run') => ({ runId, seq, stepId: `${runId}:${seq}` });
const resultOf = (seq: number, runId = 'run'): StepResult => ({ ...stepOf(seq, runId), status: 'completed' });

/** An order over turns that a test scripts, and deliveries that it ends by hand. */
function setUp(script: Partial<Turns> = {}, maxHoldMs = MAX_HOLD_MS) {
  const told: string[] = [];
  const busy = new Set<string>();
  let endTurn: (runId: string) => void = () => undefined;
  const order = new ResultOrder((onTurnEnd) => {
    endTurn = onTurnEnd;
    return {
      dispatching: ({ stepId }) => void told.push(`dispatching ${stepId}`),
      dispatched: ({ stepId }) => void told.push(`dispatched ${stepId}`),
      passesThrough: () => false,
      readyAt: ({ runId }) => (busy.has(runId) ? NEVER : 0),
      delivering(runId) {
        busy.add(runId);
        told.push(`delivering ${runId}`);
      },
      delivered(runId) {
        busy.delete(runId);
        told.push(`delivered ${runId}`);
      },
      ...script,
    };
  }, maxHoldMs);
  const begun: string[] = [];
  const ends = new Map<string, Deferred<void>>();
  const submit = (seq: number, runId = 'run') => {
    const end = deferred<void>();
    ends.set(`${runId}:${seq}`, end);
    const outcome = order.submit(resultOf(seq, runId), () => {
      begun.push(`${runId}:${seq}`);
      return end.promise;
    });
    outcome.catch(() => undefined);
    return outcome;
  };
  const finish = async (stepId: string, error?: Error) => {
    if (error === undefined) ends.get(stepId)?.resolve();
    else ends.get(stepId)?.reject(error);
    await settle();
  };
  return { order, told, begun, submit, finish, endTurn: (runId = 'run') => endTurn(runId) };
}

describe('a clock on the wall that is set back while a result is held', () => {
  const HOUR_MS = 3_600_000;

  it.each<[string, boolean, (onTurnEnd: (runId: string) => void) => Turns]>([
    ['another instance may have dispatched it', false, () => new TimedTurns(250)],
    ['it was dispatched a moment ago', true, () => new TimedTurns(250)],
    ['nobody saw its turn begin', true, (onTurnEnd) => new EventTurns(onTurnEnd, 250)],
  ])('does not hold it for longer: %s', async (_why, ours, turns) => {
    const order = new ResultOrder(turns, MAX_HOLD_MS);
    if (ours) {
      order.dispatching(stepOf(0));
      order.dispatched(stepOf(0));
    }
    const deliver = vi.fn(async () => undefined);
    const outcome = order.submit(resultOf(0), deliver, Date.now());
    await vi.advanceTimersByTimeAsync(100);
    vi.setSystemTime(Date.now() - HOUR_MS);
    await vi.advanceTimersByTimeAsync(200);
    expect(deliver).toHaveBeenCalledOnce();
    await outcome;
  });
});

describe('a result of a step that another instance may have dispatched', () => {
  const submitted = (order: ResultOrder, sentAt?: number) => {
    const begun: number[] = [];
    void order.submit(resultOf(0), async () => void begun.push(Date.now()), sentAt);
    return begun;
  };

  it('waits 250 ms from when it was sent: that instance may not have written the end of its turn', async () => {
    const { order } = setUp();
    const begun = submitted(order, 1_000_000 - 100);
    await vi.advanceTimersByTimeAsync(149);
    expect(begun).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(begun).toEqual([1_000_150]);
  });

  it('waits no longer where the clock of SQS is ahead of ours', async () => {
    const { order } = setUp();
    const begun = submitted(order, 1_000_000 + 3_600_000);
    await vi.advanceTimersByTimeAsync(250);
    expect(begun).toEqual([1_000_250]);
  });

  it('does not wait where it was sent long ago, or where its step was dispatched here', async () => {
    const { order } = setUp();
    expect(submitted(order, 1_000_000 - 250)).toEqual([1_000_000]);
    const own = setUp();
    own.order.dispatching(stepOf(0));
    expect(submitted(own.order, 1_000_000)).toEqual([1_000_000]);
    // Its second result, a duplicate, is nobody's that is known.
    await settle();
    expect(submitted(own.order, 1_000_000)).toEqual([]);
  });
});

describe('one at a time per run', () => {
  it('delivers the results of a run one after the other, in the order they came', async () => {
    const { begun, submit, finish } = setUp();
    void submit(0);
    void submit(1);
    void submit(2);
    expect(begun).toEqual(['run:0']);
    await finish('run:0');
    expect(begun).toEqual(['run:0', 'run:1']);
    await finish('run:1');
    await finish('run:2');
    expect(begun).toEqual(['run:0', 'run:1', 'run:2']);
  });

  it('delivers those of other runs at the same time', () => {
    const { begun, submit } = setUp();
    for (const run of ['a', 'b', 'c']) void submit(0, run);
    expect(begun).toEqual(['a:0', 'b:0', 'c:0']);
  });

  it('settles as the delivery does', async () => {
    const { submit, finish } = setUp();
    const first = submit(0);
    const second = submit(1, 'other');
    expect(await stateOf(first)).toBe('pending');
    await finish('run:0');
    await expect(first).resolves.toBeUndefined();
    await finish('other:1', new Error('store is down'));
    await expect(second).rejects.toThrow('store is down');
  });

  it('goes on after a rejection', async () => {
    const { begun, submit, finish } = setUp();
    const first = submit(0);
    void submit(1);
    await finish('run:0', new Error('no'));
    await expect(first).rejects.toThrow('no');
    expect(begun).toEqual(['run:0', 'run:1']);
  });

  it('tells the turns of dispatches and deliveries', async () => {
    const { order, told, submit, finish } = setUp();
    order.dispatching(stepOf(0));
    order.dispatched(stepOf(0));
    void submit(0);
    order.dispatching(stepOf(1));
    await finish('run:0');
    expect(told).toEqual(['dispatching run:0', 'dispatched run:0', 'delivering run', 'dispatching run:1', 'delivered run']);
  });
});

describe('not before its turn', () => {
  it('waits for the time that is known, and sets no timer for what only an event can tell', () => {
    const start = steadyNow();
    const { begun, submit } = setUp({ readyAt: ({ seq }) => (seq === 0 ? NEVER : start + seq * 100) }, NEVER);
    for (const seq of [2, 0, 1]) void submit(seq);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(99);
    expect(begun).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(begun).toEqual(['run:1']);
    vi.advanceTimersByTime(100);
    expect(begun).toEqual(['run:1', 'run:2']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('looks again when the turn ends, once the engine has left its event', async () => {
    let ready = false;
    const { begun, submit, endTurn } = setUp({ readyAt: () => (ready ? 0 : NEVER) });
    void submit(0);
    ready = true;
    endTurn();
    expect(begun).toEqual([]);
    await settle();
    expect(begun).toEqual(['run:0']);
  });

  it('looks again when a dispatch has settled', () => {
    let sending = true;
    const { order, submit, begun } = setUp({ readyAt: () => (sending ? NEVER : 0) });
    void submit(0);
    expect(begun).toEqual([]);
    sending = false;
    order.dispatched(stepOf(0));
    expect(begun).toEqual(['run:0']);
  });

  it('does not mind the end of a turn of which nothing is held', async () => {
    const { order, submit, finish, endTurn } = setUp();
    endTurn();
    void submit(0);
    endTurn();
    await finish('run:0');
    endTurn();
    await settle();
    expect(order.size).toBe(0);
  });

  it('holds nothing longer than the bound, whatever is known of turns', () => {
    const { begun, submit } = setUp({ readyAt: () => NEVER }, 1_000);
    void submit(0);
    vi.advanceTimersByTime(500);
    void submit(1);
    vi.advanceTimersByTime(499);
    expect(begun).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(begun).toEqual(['run:0']);
    // While another one is with the engine, not longer than that one has been there.
    vi.advanceTimersByTime(999);
    expect(begun).toEqual(['run:0']);
    vi.advanceTimersByTime(1);
    expect(begun).toEqual(['run:0', 'run:1']);
  });

  it('results that are overdue together go one after the other', async () => {
    const { begun, submit, finish } = setUp({ readyAt: () => NEVER }, 1_000);
    for (const seq of [0, 1, 2]) void submit(seq);
    vi.advanceTimersByTime(1_000);
    expect(begun).toEqual(['run:0']);
    await finish('run:0');
    expect(begun).toEqual(['run:0', 'run:1']);
    await finish('run:1');
    expect(begun).toEqual(['run:0', 'run:1', 'run:2']);
  });

  it('tells the end of deliveries that the bound let overlap only once, at the last', async () => {
    const { told, submit, finish } = setUp({ readyAt: () => NEVER }, 0);
    void submit(0);
    void submit(1);
    await finish('run:0');
    expect(told).toEqual(['delivering run', 'delivering run']);
    await finish('run:1');
    expect(told.at(-1)).toBe('delivered run');
  });

  it('passes through what a turn waits for in memory, during a delivery too, and counts it as none', async () => {
    const { order, begun, told, submit, finish } = setUp({ passesThrough: ({ seq }) => seq === 1 });
    void submit(0);
    const passed = submit(1);
    expect(begun).toEqual(['run:0', 'run:1']);
    await finish('run:1');
    await expect(passed).resolves.toBeUndefined();
    expect(told).toEqual(['delivering run']);
    await finish('run:0');
    expect(told).toEqual(['delivering run', 'delivered run']);
    expect(order.size).toBe(0);
  });
});

describe('close', () => {
  it('rejects what is held, leaves what is with the engine, and holds nothing any more', async () => {
    const { order, begun, submit, finish } = setUp();
    const first = submit(0);
    const held = submit(1);
    const ready = submit(0, 'other');
    order.close();
    await expect(held).rejects.toThrow(TransportClosedError);
    expect([await stateOf(first), await stateOf(ready)]).toEqual(['pending', 'pending']);
    await finish('run:0');
    await finish('other:0');
    await expect(Promise.all([first, ready])).resolves.toBeDefined();
    expect(begun).toEqual(['run:0', 'other:0']);
    expect(order.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('rejects what comes later, but for what a turn waits for: close waits for that turn', async () => {
    const { order, begun, submit } = setUp({ passesThrough: ({ seq }) => seq === 7 });
    order.close();
    await expect(submit(0)).rejects.toThrow(
      new TransportClosedError('the transport was closed before the result was handed to the engine'),
    );
    void submit(7);
    expect(begun).toEqual(['run:7']);
  });

  it('may come twice', async () => {
    const { order, submit } = setUp({ readyAt: () => NEVER });
    const held = submit(0);
    order.close();
    order.close();
    await expect(held).rejects.toThrow(TransportClosedError);
  });
});

it('keeps nothing of a run that is done with', async () => {
  const { order, submit, finish } = setUp();
  for (let run = 0; run < 100; run += 1) void submit(0, `run-${run}`);
  expect(order.size).toBe(100);
  for (let run = 0; run < 100; run += 1) await finish(`run-${run}:0`);
  expect(order.size).toBe(0);
});

// --- against a model of the engine

/** A stage of a workflow: so many durable steps at once, one that the turn waits for in memory, or a timer that begins a turn unseen. */
type Stage = { readonly durable: number } | 'in memory' | 'sleep';

const stage = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Stage>({ durable: 1 }) },
  { weight: 2, arbitrary: fc.record({ durable: fc.integer({ min: 2, max: 4 }) }) },
  { weight: 3, arbitrary: fc.constant<Stage>('in memory') },
  { weight: 1, arbitrary: fc.constant<Stage>('sleep') },
);
const workflows = fc.array(fc.array(stage, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 5 });

/**
 * The engine as `engine-events.test.ts` pins it, with a scheduler in every place where a store, SQS or a worker takes time: runs of
 * some stages, whose every result may be delivered twice.
 */
class ModelEngine {
  readonly problems: string[] = [];
  readonly outcomes: Promise<void>[] = [];
  completed = 0;
  #order: ResultOrder | undefined;
  readonly #scheduler: fc.Scheduler;
  readonly #emit: (type: EngineEventType, runId: string, seq?: number) => void;
  readonly #runs = new Map<string, ModelRun>();
  readonly #waiters = new Map<string, () => void>();
  /** Steps whose result was taken; a second one is dropped. */
  readonly #answered = new Set<string>();

  constructor(scheduler: fc.Scheduler, emit: (type: EngineEventType, runId: string, seq?: number) => void) {
    this.#scheduler = scheduler;
    this.#emit = emit;
  }

  start(order: ResultOrder, runId: string, stages: readonly Stage[]): void {
    this.#order = order;
    const run: ModelRun = { runId, stages, stage: -1, nextSeq: 0, open: new Set(), deliveries: 0, turns: 0 };
    this.#runs.set(runId, run);
    void this.#takesTime().then(() => {
      this.#emit('run.started', runId);
      return this.#turn(run);
    });
  }

  /** One pass from stage to stage until something is to be waited for. */
  async #turn(run: ModelRun): Promise<void> {
    run.turns += 1;
    if (run.turns > 1) this.problems.push(`two turns of ${run.runId} at once`);
    await this.#stages(run);
    // The lock is released after the event.
    await this.#takesTime();
  }

  async #stages(run: ModelRun): Promise<void> {
    while (run.open.size === 0) {
      run.stage += 1;
      const next = run.stages[run.stage];
      if (next === undefined) {
        await this.#takesTime();
        run.turns -= 1;
        this.completed += 1;
        this.#emit('run.completed', run.runId);
        return;
      }
      const first = run.nextSeq;
      if (next === 'sleep') {
        await this.#suspend(run);
        void this.#takesTime().then(() => this.#turn(run));
        return;
      }
      if (next === 'in memory') {
        run.nextSeq += 1;
        await this.#inMemory(run, first);
      } else {
        run.nextSeq += next.durable;
        for (let seq = first; seq < first + next.durable; seq += 1) run.open.add(seq);
        const branches = [...run.open].map((seq) => this.#durable(run, seq));
        await Promise.race(branches);
      }
    }
    await this.#suspend(run);
  }

  async #suspend(run: ModelRun): Promise<void> {
    await this.#takesTime();
    run.turns -= 1;
    this.#emit('run.suspended', run.runId);
  }

  async #inMemory(run: ModelRun, seq: number): Promise<void> {
    this.#emit('step.started', run.runId, seq);
    const answered = new Promise<void>((resolve) => this.#waiters.set(`${run.runId}:${seq}`, resolve));
    await this.#dispatch(run, seq);
    await answered;
    await this.#takesTime();
  }

  async #durable(run: ModelRun, seq: number): Promise<void> {
    await this.#takesTime();
    await this.#dispatch(run, seq);
    this.#emit('step.started', run.runId, seq);
  }

  async #dispatch({ runId }: ModelRun, seq: number): Promise<void> {
    this.#order?.dispatching(stepOf(seq, runId));
    await this.#takesTime();
    this.#order?.dispatched(stepOf(seq, runId));
    for (const _delivery of [1, 2]) void this.#takesTime().then(() => this.#answer(runId, seq));
  }

  #answer(runId: string, seq: number): void {
    const outcome = this.#order?.submit(resultOf(seq, runId), () => this.#onResult(runId, seq));
    if (outcome !== undefined) this.outcomes.push(outcome);
  }

  async #onResult(runId: string, seq: number): Promise<void> {
    const id = `${runId}:${seq}`;
    const waiter = this.#waiters.get(id);
    if (waiter !== undefined) {
      this.#waiters.delete(id);
      this.#answered.add(id);
      return waiter();
    }
    const run = this.#runs.get(runId);
    if (run === undefined || this.#answered.has(id)) return;
    this.#answered.add(id);
    run.deliveries += 1;
    if (run.deliveries > 1) this.problems.push(`two results of ${runId} with the engine at once`);
    if (run.turns > 0) this.problems.push(`result of ${id} within a turn`);
    await this.#takesTime();
    run.open.delete(seq);
    await this.#turn(run);
    run.deliveries -= 1;
  }

  #takesTime(): Promise<void> {
    return this.#scheduler.schedule(Promise.resolve());
  }
}

interface ModelRun {
  readonly runId: string;
  readonly stages: readonly Stage[];
  stage: number;
  nextSeq: number;
  /** Positions of durable steps that the run waits for. */
  readonly open: Set<number>;
  deliveries: number;
  turns: number;
}

/** Lets everything happen that the scheduler holds, in an order of its choice, and lets time pass where only time helps. */
async function play(scheduler: fc.Scheduler, isOver: () => boolean): Promise<void> {
  for (let idle = 0; idle < 10; idle += 1) {
    while (scheduler.count() > 0) {
      await scheduler.waitOne();
      idle = 0;
    }
    if (isOver()) return;
    await vi.advanceTimersByTimeAsync(250);
  }
}

describe('against a model of the engine', () => {
  it('never two results of a run at once, never one within a turn, none lost, nothing kept', async () => {
    let held = 0;
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), workflows, async (scheduler, runs) => {
        // Else what one failing case leaves behind fails all smaller ones.
        vi.clearAllTimers();
        const startedAt = Date.now();
        let turns: EventTurns | undefined;
        const order = new ResultOrder((onTurnEnd) => {
          turns = new EventTurns(onTurnEnd, 250);
          return turns;
        }, MAX_HOLD_MS);
        const engine = new ModelEngine(scheduler, (type, runId, seq) => {
          turns?.event({ type, runId, at: new Date(), ...(seq === undefined ? {} : { seq, kind: 'remote' }) });
        });
        for (const [index, stages] of runs.entries()) engine.start(order, `run-${index}`, stages);

        await play(scheduler, () => engine.completed === runs.length);
        await play(scheduler, () => order.size === 0);

        expect(engine.problems).toEqual([]);
        expect(engine.completed).toBe(runs.length);
        await Promise.all(engine.outcomes);
        // By what is known of turns, that is, and not because the bound was reached.
        expect(Date.now() - startedAt).toBeLessThan(MAX_HOLD_MS);
        held += Date.now() - startedAt;
        vi.advanceTimersByTime(250);
        expect({ lanes: order.size, turns: turns?.size, timers: vi.getTimerCount() }).toEqual({ lanes: 0, turns: 0, timers: 0 });
      }),
      { numRuns: 400 },
    );
    expect(held).toBeGreaterThan(0);
  });

  it('by the clock alone: everything is delivered and nothing kept', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), workflows, async (scheduler, runs) => {
        vi.clearAllTimers();
        const turns = new TimedTurns(250);
        const order = new ResultOrder(() => turns, MAX_HOLD_MS);
        const engine = new ModelEngine(scheduler, () => undefined);
        for (const [index, stages] of runs.entries()) engine.start(order, `run-${index}`, stages);
        await play(scheduler, () => engine.completed === runs.length);
        await play(scheduler, () => order.size === 0);
        expect(engine.completed).toBe(runs.length);
        await Promise.all(engine.outcomes);
        vi.advanceTimersByTime(250);
        expect({ lanes: order.size, turns: turns.size, timers: vi.getTimerCount() }).toEqual({ lanes: 0, turns: 0, timers: 0 });
      }),
      { numRuns: 200 },
    );
  });
});
