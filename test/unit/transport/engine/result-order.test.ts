import type { EngineEvent, EngineEventType } from '@dudousxd/nestjs-durable-core';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TransportClosedError } from '../../../../src/errors.ts';
import { steadyNow } from '../../../../src/time.ts';
import { AttachedEngine } from '../../../../src/transport/engine/attached-engine.ts';
import { EventTurns } from '../../../../src/transport/engine/event-turns.ts';
import type { ResultSource } from '../../../../src/transport/engine/given.ts';
import { ResultOrder } from '../../../../src/transport/engine/result-order.ts';
import { TimedTurns } from '../../../../src/transport/engine/timed-turns.ts';
import type { Turns } from '../../../../src/transport/engine/turns.ts';
import { UnattachedEngine } from '../../../../src/transport/engine/unattached-engine.ts';
import type { StepResult } from '../../../../src/wire/step-result.ts';
import { type Deferred, deferred, stateOf } from '../../../support/deferred.ts';
import { settle } from '../../../support/fake-timing.ts';
import { silentLogger } from '../../../support/local-cloud.ts';

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

/** An order whose turns can be looked at again by hand, as an event of the engine does it. */
class ScriptedOrder extends ResultOrder<Turns> {
  lookAgain(runId = 'run'): void {
    const run = this.runs.get(runId);
    if (run !== undefined) this.look(run);
  }
}

/** A source whose results end as `handler` says. */
function sourceOf(handler: ResultSource['handler'], maxHoldMs = MAX_HOLD_MS) {
  return { handler, decisionHandler: async () => undefined, maxHoldMs, closed: false };
}

/** An order over turns that a test scripts, and results that it ends by hand. */
function setUp(script: Partial<Turns> = {}, maxHoldMs = MAX_HOLD_MS) {
  const told: string[] = [];
  const order = new ScriptedOrder(() => ({
    dispatching: ({ stepId }, forResult) => {
      told.push(`dispatching ${stepId}${forResult ? ' for a result' : ''}`);
      return false;
    },
    happened: (what) => void told.push(what),
    awaits: () => false,
    freeAt: (_result, withEngine) => (withEngine ? NEVER : 0),
    forgetAt: 0,
    ...script,
  }));
  const begun: string[] = [];
  const ends = new Map<string, Deferred<void>>();
  const source = sourceOf(({ stepId }) => {
    begun.push(stepId);
    const end = deferred<void>();
    ends.set(stepId, end);
    return end.promise;
  }, maxHoldMs);
  const give = (seq: number, runId = 'run', from = source) => {
    const outcome = order.give({ source: from, result: resultOf(seq, runId), sentAt: 0, receiveCount: 1 });
    outcome.catch(() => undefined);
    return outcome;
  };
  const finish = async (stepId: string, error?: Error) => {
    if (error === undefined) ends.get(stepId)?.resolve();
    else ends.get(stepId)?.reject(error);
    await settle();
  };
  const close = (from = source) => {
    from.closed = true;
    order.withdraw(from);
  };
  return { order, told, begun, source, give, finish, close };
}

describe('a clock on the wall that is set back while a result is held', () => {
  const HOUR_MS = 3_600_000;

  it.each<[string, boolean, () => Turns]>([
    ['another instance may have dispatched it', false, () => new TimedTurns(250)],
    ['it was dispatched a moment ago', true, () => new TimedTurns(250)],
    ['nobody saw its turn begin', true, () => new EventTurns()],
  ])('%s: does not hold it for longer', async (_why, own, turns) => {
    const order = new ResultOrder(turns);
    if (own) {
      order.dispatching(stepOf(0));
      order.dispatched(stepOf(0));
    }
    const handler = vi.fn(async () => undefined);
    const outcome = order.give({ source: sourceOf(handler), result: resultOf(0), sentAt: Date.now(), receiveCount: 1 });
    await vi.advanceTimersByTimeAsync(100);
    vi.setSystemTime(Date.now() - HOUR_MS);
    await vi.advanceTimersByTimeAsync(200);
    expect(handler).toHaveBeenCalledOnce();
    await outcome;
  });
});

describe('a result of a step that another instance may have dispatched', () => {
  const givenAt = (order: ResultOrder<Turns>, sentAt = 0) => {
    const begun: number[] = [];
    const source = sourceOf(async () => void begun.push(Date.now()));
    void order.give({ source, result: resultOf(0), sentAt, receiveCount: 1 });
    return begun;
  };

  it('waits 250 ms from when it was sent: that instance may not have written the end of its turn', async () => {
    const { order } = setUp();
    const begun = givenAt(order, 1_000_000 - 100);
    await vi.advanceTimersByTimeAsync(149);
    expect(begun).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(begun).toEqual([1_000_150]);
  });

  it('waits no longer where the clock of SQS is ahead of ours', async () => {
    const { order } = setUp();
    const begun = givenAt(order, 1_000_000 + 3_600_000);
    await vi.advanceTimersByTimeAsync(250);
    expect(begun).toEqual([1_000_250]);
  });

  it('goes at once where it was sent long ago, or where its step was dispatched here', async () => {
    const { order } = setUp();
    const longAgo = givenAt(order, 1_000_000 - 250);
    await settle();
    expect(longAgo).toEqual([1_000_000]);
    const own = setUp();
    own.order.dispatching(stepOf(0));
    const first = givenAt(own.order, 1_000_000);
    await settle();
    expect(first).toEqual([1_000_000]);
    // Its second result, a duplicate, may be anybody's.
    const second = givenAt(own.order, 1_000_000);
    await settle();
    expect(second).toEqual([]);
  });
});

describe('one result at a time per run', () => {
  it('gives the results of a run one after the other, in the order they came', async () => {
    const { begun, give, finish } = setUp();
    for (const seq of [0, 1, 2]) void give(seq);
    await settle();
    expect(begun).toEqual(['run:0']);
    await finish('run:0');
    expect(begun).toEqual(['run:0', 'run:1']);
    await finish('run:1');
    await finish('run:2');
    expect(begun).toEqual(['run:0', 'run:1', 'run:2']);
  });

  it('gives those of other runs at the same time', async () => {
    const { begun, give } = setUp();
    for (const run of ['a', 'b', 'c']) void give(0, run);
    await settle();
    expect(begun).toEqual(['a:0', 'b:0', 'c:0']);
  });

  it('gives those of one run one after the other, too, where they come by two transports', async () => {
    const { order, begun, give, finish } = setUp();
    void give(0);
    const other = vi.fn(async () => undefined);
    const second = order.give({ source: sourceOf(other), result: resultOf(1), sentAt: 0, receiveCount: 1 });
    await settle();
    expect(begun).toEqual(['run:0']);
    expect(other).not.toHaveBeenCalled();
    await finish('run:0');
    expect(other).toHaveBeenCalledOnce();
    await second;
  });

  it('settles as the engine does', async () => {
    const { give, finish } = setUp();
    const first = give(0);
    const second = give(1, 'other');
    expect(await stateOf(first)).toBe('pending');
    await finish('run:0');
    await expect(first).resolves.toBeUndefined();
    await finish('other:1', new Error('store is down'));
    await expect(second).rejects.toThrow('store is down');
  });

  it('goes on after a rejection', async () => {
    const { begun, give, finish } = setUp();
    const first = give(0);
    void give(1);
    await settle();
    await finish('run:0', new Error('no'));
    await expect(first).rejects.toThrow('no');
    expect(begun).toEqual(['run:0', 'run:1']);
  });

  it('tells the turns of dispatches and results', async () => {
    const { order, told, give, finish } = setUp({ forgetAt: NEVER });
    order.dispatching(stepOf(0));
    order.dispatched(stepOf(0));
    void give(0);
    await settle();
    order.dispatching(stepOf(1));
    await finish('run:0');
    expect(told).toEqual(['dispatching run:0', 'dispatched', 'dispatching run:1 for a result', 'answered']);
  });
});

describe('never within a turn', () => {
  it('waits for the time that is known, and sets no timer for what only an event can tell', async () => {
    const start = steadyNow();
    const { begun, give } = setUp({ freeAt: ({ seq }) => (seq === 0 ? NEVER : start + seq * 100) }, NEVER);
    for (const seq of [2, 0, 1]) void give(seq);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(99);
    expect(begun).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(begun).toEqual(['run:1']);
    await vi.advanceTimersByTimeAsync(100);
    expect(begun).toEqual(['run:1', 'run:2']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('looks again when something has changed', async () => {
    let ready = false;
    const { order, begun, give } = setUp({ freeAt: () => (ready ? 0 : NEVER) });
    void give(0);
    ready = true;
    await settle();
    expect(begun).toEqual([]);
    order.lookAgain();
    await settle();
    expect(begun).toEqual(['run:0']);
  });

  it('looks again when SQS has answered for a dispatch', async () => {
    let sending = true;
    const { order, give, begun } = setUp({ freeAt: () => (sending ? NEVER : 0) });
    void give(0);
    await settle();
    expect(begun).toEqual([]);
    sending = false;
    order.dispatched(stepOf(0));
    await settle();
    expect(begun).toEqual(['run:0']);
  });

  it('holds nothing longer than the bound, whatever is known of turns', async () => {
    const { begun, give } = setUp({ freeAt: () => NEVER }, 1_000);
    void give(0);
    await vi.advanceTimersByTimeAsync(500);
    void give(1);
    await vi.advanceTimersByTimeAsync(499);
    expect(begun).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(begun).toEqual(['run:0']);
    // While another one is with the engine, not longer than that one has been there.
    await vi.advanceTimersByTimeAsync(999);
    expect(begun).toEqual(['run:0']);
    await vi.advanceTimersByTimeAsync(1);
    expect(begun).toEqual(['run:0', 'run:1']);
  });

  it('gives results that are overdue together one after the other', async () => {
    const { begun, give, finish } = setUp({ freeAt: () => NEVER }, 1_000);
    for (const seq of [0, 1, 2]) void give(seq);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(begun).toEqual(['run:0']);
    await finish('run:0');
    expect(begun).toEqual(['run:0', 'run:1']);
    await finish('run:1');
    expect(begun).toEqual(['run:0', 'run:1', 'run:2']);
  });

  it('tells the turns that the engine has answered only once, at the last of the results that the bound let overlap', async () => {
    const { told, give, finish } = setUp({ freeAt: () => NEVER }, 0);
    void give(0);
    void give(1);
    await settle();
    await finish('run:0');
    expect(told).toEqual([]);
    await finish('run:1');
    expect(told).toEqual(['answered']);
  });

  it('passes through what a turn waits for in memory, while a result is with the engine, too, and counts it as none', async () => {
    const { order, begun, told, give, finish } = setUp({ awaits: (seq) => seq === 1 });
    void give(0);
    await settle();
    const passed = give(1);
    expect(begun).toEqual(['run:0', 'run:1']);
    await finish('run:1');
    await expect(passed).resolves.toBeUndefined();
    expect(told).toEqual([]);
    await finish('run:0');
    expect(told).toEqual(['answered']);
    expect(order.size).toBe(0);
  });
});

describe('withdraw', () => {
  it('rejects what is held, leaves what is with the engine, and holds nothing any more', async () => {
    const { order, begun, give, finish, close } = setUp();
    const first = give(0);
    const held = give(1);
    const ready = give(0, 'other');
    await settle();
    close();
    await expect(held).rejects.toThrow(TransportClosedError);
    expect([await stateOf(first), await stateOf(ready)]).toEqual(['pending', 'pending']);
    await finish('run:0');
    await finish('other:0');
    await expect(Promise.all([first, ready])).resolves.toBeDefined();
    expect(begun).toEqual(['run:0', 'other:0']);
    expect(order.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('leaves what another transport has received', async () => {
    const { order, give, finish, close } = setUp();
    void give(0);
    const other = vi.fn(async () => undefined);
    const held = order.give({ source: sourceOf(other), result: resultOf(1), sentAt: 0, receiveCount: 1 });
    await settle();
    close();
    await finish('run:0');
    await held;
    expect(other).toHaveBeenCalledOnce();
  });

  it('rejects what comes later, but for what a turn waits for: close waits for that turn', async () => {
    const { begun, give, close } = setUp({ awaits: (seq) => seq === 7 });
    void give(1);
    await settle();
    close();
    await expect(give(0)).rejects.toThrow(new TransportClosedError('the transport was closed before the result was given to the engine'));
    void give(7);
    expect(begun).toEqual(['run:1', 'run:7']);
  });

  it('may come twice', async () => {
    const { give, close } = setUp({ freeAt: () => NEVER });
    const held = give(0);
    close();
    close();
    await expect(held).rejects.toThrow(TransportClosedError);
  });
});

describe('what is remembered of runs', () => {
  it('nothing is kept of runs that are done with', async () => {
    const { order, give, finish } = setUp();
    for (let run = 0; run < 100; run += 1) void give(0, `run-${run}`);
    await settle();
    expect(order.size).toBe(100);
    for (let run = 0; run < 100; run += 1) await finish(`run-${run}:0`);
    expect(order.size).toBe(0);
  });

  it('goes when its turns no longer matter, by one timer per run', async () => {
    const order = new ResultOrder(() => new EventTurns());
    for (const seq of [0, 1, 2]) {
      order.dispatching(stepOf(seq));
      order.dispatched(stepOf(seq));
      await vi.advanceTimersByTimeAsync(100);
    }
    expect([order.size, vi.getTimerCount()]).toEqual([1, 1]);
    await vi.advanceTimersByTimeAsync(149);
    expect(order.size).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect([order.size, vi.getTimerCount()]).toEqual([0, 0]);
  });
});

// --- against a model of the engine

/**
 * A stage of a workflow: so many durable steps at once, one that the turn waits for in memory, or a timer that begins a
 * turn unseen.
 */
type Stage = { readonly durable: number } | 'in memory' | 'sleep';

const stage = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Stage>({ durable: 1 }) },
  { weight: 2, arbitrary: fc.record({ durable: fc.integer({ min: 2, max: 4 }) }) },
  { weight: 3, arbitrary: fc.constant<Stage>('in memory') },
  { weight: 1, arbitrary: fc.constant<Stage>('sleep') },
);
const workflows = fc.array(fc.array(stage, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 5 });

/**
 * The engine as `engine-events.test.ts` pins it, with a scheduler in every place where a store, SQS or a worker takes
 * time: runs of some stages, whose every result may be delivered twice.
 */
class ModelEngine {
  readonly problems: string[] = [];
  readonly outcomes: Promise<void>[] = [];
  completed = 0;
  #order: ResultOrder<Turns> | undefined;
  readonly #source: ResultSource = sourceOf(({ runId, seq }) => this.#onResult(runId, seq));
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

  start(order: ResultOrder<Turns>, runId: string, stages: readonly Stage[]): void {
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
    const outcome = this.#order?.give({ source: this.#source, result: resultOf(seq, runId), sentAt: 0, receiveCount: 1 });
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

/**
 * Lets everything happen that the scheduler holds, in an order of its choice, and lets time pass where only time helps.
 */
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
  it('attached: never two results of a run at once, never one within a turn, none lost, nothing kept', async () => {
    let held = 0;
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), workflows, async (scheduler, runs) => {
        // Else what one failing case leaves behind fails all smaller ones.
        vi.clearAllTimers();
        const startedAt = Date.now();
        let listener: (event: EngineEvent) => void = () => undefined;
        const order = AttachedEngine.attach(
          {
            subscribe(given) {
              listener = given;
              return () => undefined;
            },
            getRun: async () => null,
            resume: async () => undefined,
          },
          silentLogger,
        );
        const engine = new ModelEngine(scheduler, (type, runId, seq) => {
          listener({ type, runId, at: new Date(), ...(seq === undefined ? {} : { seq, kind: 'remote' }) });
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
        // A run that ended by the copy of a result is looked at once more.
        vi.advanceTimersByTime(2_000);
        expect({ runs: order.size, timers: vi.getTimerCount() }).toEqual({ runs: 0, timers: 0 });
      }),
      { numRuns: 400 },
    );
    expect(held).toBeGreaterThan(0);
  });

  it('unattached: every result is given to the engine and nothing kept', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), workflows, async (scheduler, runs) => {
        vi.clearAllTimers();
        const order = new UnattachedEngine(250);
        const engine = new ModelEngine(scheduler, () => undefined);
        for (const [index, stages] of runs.entries()) engine.start(order, `run-${index}`, stages);
        await play(scheduler, () => engine.completed === runs.length);
        await play(scheduler, () => order.size === 0);
        expect(engine.completed).toBe(runs.length);
        await Promise.all(engine.outcomes);
        vi.advanceTimersByTime(250);
        expect({ runs: order.size, timers: vi.getTimerCount() }).toEqual({ runs: 0, timers: 0 });
      }),
      { numRuns: 200 },
    );
  });
});
