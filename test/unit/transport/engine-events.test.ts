import {
  InMemoryStateStore,
  type RemoteTask,
  type StepResult,
  type Transport,
  type WorkflowCtx,
  WorkflowEngine,
} from '@dudousxd/nestjs-durable-core';
import { describe, expect, it, vi } from 'vitest';
import { deferred } from '../../support/deferred.ts';
import { settle } from '../../support/fake-timing.ts';
import { slowStore } from '../../support/slow-store.ts';
import { toleratingUnhandledRejections } from './unhandled-rejections.ts';

/*
 * What EventTurns takes for granted of the engine. If one of these fails after an upgrade of the core package,
 * EventTurns is wrong with it: read its comments before changing anything here.
 */

/** A transport that keeps what is dispatched; results are given by hand. */
class RecordingTransport implements Transport {
  readonly tasks: RemoteTask[] = [];
  readonly #log: string[];
  #handler: ((result: StepResult) => Promise<void>) | undefined;

  constructor(log: string[]) {
    this.#log = log;
  }

  async dispatch(task: RemoteTask): Promise<void> {
    this.#log.push(`dispatch ${task.seq}#${task.attempt}`);
    this.tasks.push(task);
    // SQS answers some time later; nothing of the turn may happen meanwhile.
    await settle();
    this.#log.push(`accepted ${task.seq}`);
  }

  onResult(handler: (result: StepResult) => Promise<void>): void {
    this.#handler = handler;
  }

  onHeartbeat(): void {}

  /** Hands a result to the engine, as the worker of the newest task of that position would. */
  async answer(seq: number, fields: Partial<StepResult> = {}): Promise<void> {
    const task = this.tasks.findLast((sent) => sent.seq === seq);
    if (task === undefined) throw new Error(`expected a task of position ${seq}, got none`);
    this.#log.push(`answer ${seq}`);
    await this.#handler?.({ runId: task.runId, seq, stepId: task.stepId, status: 'completed', output: seq, ...fields });
    this.#log.push(`taken ${seq}`);
  }
}

const WORDS = new Set(['run.started', 'run.suspended', 'run.blocked', 'run.completed', 'run.failed', 'step.started']);
const SETTLED = new Set(['step.completed', 'step.failed']);

function engineOf(workflow: (ctx: WorkflowCtx, input: unknown) => Promise<unknown>, store: InMemoryStateStore = new InMemoryStateStore()) {
  const log: string[] = [];
  const clock = { now: Date.now() };
  const transport = new RecordingTransport(log);
  const engine = new WorkflowEngine({ store, transport, clock: () => clock.now });
  engine.register('workflow', '1', workflow);
  const settled: string[] = [];
  engine.subscribe(({ type, seq, kind }) => {
    if (SETTLED.has(type)) settled.push(`${type} ${seq} after ${log.at(-1)}`);
    if (WORDS.has(type))
      log.push([type, seq, kind === undefined || kind === 'remote' ? undefined : kind].filter((w) => w !== undefined).join(' '));
  });
  const logged = (line: string) => vi.waitFor(() => expect(log).toContain(line), { interval: 1, timeout: 5_000 });
  return {
    engine,
    transport,
    store,
    clock,
    settled,
    logged,
    /** Starts the run and waits until the log shows this. */
    async start(until: string) {
      await engine.start('workflow', {}, 'run');
      await logged(until);
    },
    /** What was logged since the last look. */
    news: () => log.splice(0),
  };
}

const failed: Partial<StepResult> = { status: 'failed', output: undefined, error: { message: 'no' } };

describe('the order of events that EventTurns rests on', () => {
  it('durable step: dispatch, then step.started, then run.suspended', async () => {
    const { start, news } = engineOf((ctx) => ctx.step('a', 1));
    await start('run.suspended');
    expect(news()).toEqual(['run.started', 'dispatch 0#1', 'accepted 0', 'step.started 0', 'run.suspended']);
  });

  it('step with timeoutMs: step.started, then its dispatch with nothing in between, and no end of the turn', async () => {
    const { start, news, transport } = engineOf((ctx) => ctx.step('a', 1, { timeoutMs: 60_000 }));
    await start('accepted 0');
    expect(news()).toEqual(['run.started', 'step.started 0', 'dispatch 0#1', 'accepted 0']);
    await transport.answer(0);
    await settle();
    expect(news()).toEqual(['answer 0', 'taken 0', 'run.completed']);
  });

  it('the turn that a result begins lies within the promise of that result, and ends by an event within it', async () => {
    const { start, news, transport } = engineOf(async (ctx) => [await ctx.step('a', 1), await ctx.step('b', 2), await ctx.step('c', 3)]);
    await start('run.suspended');
    news();
    await transport.answer(0);
    expect(news()).toEqual(['answer 0', 'dispatch 1#1', 'accepted 1', 'step.started 1', 'run.suspended', 'taken 0']);
    await transport.answer(1);
    expect(news()).toEqual(['answer 1', 'dispatch 2#1', 'accepted 2', 'step.started 2', 'run.suspended', 'taken 1']);
    await transport.answer(2);
    expect(news()).toEqual(['answer 2', 'run.completed', 'taken 2']);
  });

  it('the turn that a result begins waits within its promise for a step with timeoutMs', async () => {
    const { start, news, transport, logged } = engineOf(async (ctx) => [
      await ctx.step('a', 1),
      await ctx.step('b', 2, { timeoutMs: 60_000 }),
    ]);
    await start('run.suspended');
    news();
    const taken = transport.answer(0);
    await logged('accepted 1');
    await transport.answer(1);
    await taken;
    expect(news()).toEqual(['answer 0', 'step.started 1', 'dispatch 1#1', 'accepted 1', 'answer 1', 'taken 1', 'run.completed', 'taken 0']);
  });

  it('a step that fails for good: run.failed', async () => {
    const { start, news, transport } = engineOf((ctx) => ctx.step('a', 1));
    await start('run.suspended');
    news();
    await transport.answer(0, failed);
    expect(news()).toEqual(['answer 0', 'run.failed', 'taken 0']);
  });

  it('durable retry: one turn plans it, a timer dispatches it in another that nothing announces', async () => {
    const { engine, start, news, transport, clock } = engineOf((ctx) => ctx.step('a', 1, { retries: 2 }));
    await start('run.suspended');
    news();
    await transport.answer(0, failed);
    expect(news()).toEqual(['answer 0', 'run.suspended', 'taken 0']);
    clock.now += 3_600_000;
    await engine.resumeDueTimers(clock.now);
    expect(news()).toEqual(['dispatch 0#2', 'accepted 0', 'step.started 0', 'run.suspended']);
  });

  it('retry of a step with timeoutMs: a second dispatch, without a second step.started', async () => {
    const { start, news, transport } = engineOf((ctx) => ctx.step('a', 1, { timeoutMs: 5, retries: 2 }));
    await start('dispatch 0#2');
    await settle();
    expect(news()).toEqual(['run.started', 'step.started 0', 'dispatch 0#1', 'accepted 0', 'dispatch 0#2', 'accepted 0']);
    await transport.answer(0);
    await settle();
    expect(news()).toEqual(['answer 0', 'taken 0', 'run.completed']);
  });

  it('a turn that a timer or a signal begins is announced by nothing', async () => {
    const { engine, start, logged, news, clock } = engineOf(async (ctx) => {
      await ctx.sleep('1h');
      await ctx.waitForSignal('go');
      return ctx.step('a', 1);
    });
    await start('run.suspended');
    expect(news()).toEqual(['run.started', 'run.suspended']);
    clock.now += 3_700_000;
    await engine.resumeDueTimers(clock.now);
    expect(news()).toEqual(['run.suspended']);
    await engine.signal('go', {});
    await logged('run.suspended');
    expect(news()).toEqual(['dispatch 2#1', 'accepted 2', 'step.started 2', 'run.suspended']);
  });

  it('a compensation is dispatched as a durable step, at a position below zero', async () => {
    const { start, news, transport } = engineOf(async (ctx) => {
      await ctx.step('book', 1, { compensate: 'cancel-booking' });
      await ctx.step('pay', 2);
    });
    await start('run.suspended');
    await transport.answer(0);
    news();
    await transport.answer(1, failed);
    expect(news()).toEqual(['answer 1', 'dispatch -1#1', 'accepted -1', 'step.started -1', 'run.suspended', 'taken 1']);
    await transport.answer(-1);
    expect(news()).toEqual(['answer -1', 'run.failed', 'taken -1']);
  });

  it('cancel: run.failed; a turn of a cancelled run, or of one that is being compensated, may end without an event', async () => {
    const { engine, start, news, transport } = engineOf(async (ctx) => {
      await ctx.step('book', 1, { compensate: 'cancel-booking' });
      await ctx.step('pay', 2);
    });
    await start('run.suspended');
    await transport.answer(0);
    news();
    await engine.cancel('run', { compensate: true });
    await vi.waitFor(() => expect(transport.tasks.at(-1)?.seq).toBe(-1));
    await settle();
    await settle();
    expect(news()).toEqual(['dispatch -1#1', 'accepted -1', 'step.started -1']);
    await transport.answer(-1);
    expect(news()).toEqual(['answer -1', 'run.failed', 'taken -1']);
  });

  it('fan-out: the first sibling suspends the turn, and the others may be dispatched after its end', async () => {
    const slow = deferred<void>();
    const store = new (class extends InMemoryStateStore {
      override async saveCheckpoint(...args: Parameters<InMemoryStateStore['saveCheckpoint']>): Promise<void> {
        if (args[0].seq === 2 && args[0].status === 'pending') await slow.promise;
        return super.saveCheckpoint(...args);
      }
    })();
    const { start, logged, news } = engineOf((ctx) => Promise.all([ctx.step('a', 1), ctx.step('b', 2), ctx.step('c', 3)]), store);
    await start('run.suspended');
    const before = news();
    expect(before.slice(0, 3)).toEqual(['run.started', 'dispatch 0#1', 'dispatch 1#1']);
    expect(before).not.toContain('dispatch 2#1');
    slow.resolve();
    await logged('step.started 2');
    expect(news()).toEqual(['dispatch 2#1', 'accepted 2', 'step.started 2']);
  });

  it('a slow store changes no order, but for stragglers of a fan-out', async () => {
    const { engine, start, news, transport } = engineOf(
      async (ctx) => [await ctx.step('a', 1), await ctx.step('b', 2, { timeoutMs: 60_000 }), await ctx.step('c', 3)],
      slowStore(7),
    );
    await start('run.suspended');
    const taken = transport.answer(0);
    await vi.waitFor(() => expect(transport.tasks).toHaveLength(2), { timeout: 5_000 });
    await transport.answer(1);
    await taken;
    await transport.answer(2);
    await engine.drain();
    expect(news()).toEqual([
      ...['run.started', 'dispatch 0#1', 'accepted 0', 'step.started 0', 'run.suspended', 'answer 0'],
      ...['step.started 1', 'dispatch 1#1', ...['accepted 1', 'answer 1'].sort(), 'taken 1'],
      ...['dispatch 2#1', 'accepted 2', 'step.started 2', 'run.suspended', 'taken 0', 'answer 2', 'run.completed', 'taken 2'],
    ]);
  });

  it('a store that fails inside a turn: no event, but the promise of the result rejects', async () => {
    const store = new (class extends InMemoryStateStore {
      down = false;
      override async updateRun(...args: Parameters<InMemoryStateStore['updateRun']>): Promise<void> {
        if (this.down) throw new Error('store is down');
        return super.updateRun(...args);
      }
    })();
    const { start, news, transport } = engineOf(async (ctx) => [await ctx.step('a', 1), await ctx.step('b', 2)], store);
    await start('run.suspended');
    news();
    store.down = true;
    const left = await toleratingUnhandledRejections(async () => {
      await expect(transport.answer(0)).rejects.toThrow('store is down');
    });
    expect(news()).toEqual(['answer 0', 'dispatch 1#1', 'accepted 1', 'step.started 1']);
    // Where this is 0 one day, the engine has mended it, and `toleratingUnhandledRejections` can go.
    expect(left).toHaveLength(1);
  });

  it('the step of a result is settled within the promise of that result; one that was awaited in memory after it', async () => {
    const { start, transport, settled, logged } = engineOf(async (ctx) => {
      await ctx.step('a', 1);
      await ctx.step('b', 2, { timeoutMs: 60_000 });
      await ctx.step('c', 3);
    });
    await start('run.suspended');
    const taken = transport.answer(0);
    await logged('accepted 1');
    await transport.answer(1);
    await taken;
    await transport.answer(2, failed);
    expect(settled).toEqual(['step.completed 0 after answer 0', 'step.completed 1 after taken 1', 'step.failed 2 after answer 2']);
  });

  it('a run that another instance has locked: the step is settled, no turn comes, and the promise resolves', async () => {
    const { start, news, transport, store, settled, clock } = engineOf((ctx) => ctx.step('a', 1));
    await start('run.suspended');
    news();
    await store.tryLockRun('run', 'other', clock.now + 30_000, clock.now);
    await transport.answer(0);
    expect(news()).toEqual(['answer 0', 'taken 0']);
    expect(settled).toHaveLength(1);
  });

  it('a result whose checkpoint is settled is taken silently: no event, no turn', async () => {
    const { start, news, transport } = engineOf(async (ctx) => [await ctx.step('a', 1), await ctx.step('b', 2)]);
    await start('run.suspended');
    await transport.answer(0);
    news();
    await transport.answer(0);
    expect(news()).toEqual(['answer 0', 'taken 0']);
  });
});
