import { InMemoryStateStore, type StateStore, type StepCheckpoint, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { describe, expect, it } from 'vitest';
import { EngineStore } from '../../../../src/transport/engine/engine-store.ts';
import { asTurn } from '../../../../src/transport/engine/outlast-outage.ts';
import { DEAF, viewOf } from '../../../support/engine-instances.ts';

const CUT = 'Connection terminated unexpectedly';

/** As a database does, where the in-memory store takes the second one. */
class KeyedStore extends InMemoryStateStore {
  readonly #events = new Set<string>();
  override async createRun(run: Parameters<StateStore['createRun']>[0]): Promise<void> {
    if (await this.getRun(run.id)) throw new Error('duplicate key value violates unique constraint "runs_pkey"');
    await super.createRun(run);
  }
  override async bufferEvent(event: Parameters<StateStore['bufferEvent']>[0]): Promise<void> {
    if (this.#events.has(event.id)) throw new Error('duplicate key value violates unique constraint "events_pkey"');
    this.#events.add(event.id);
    await super.bufferEvent(event);
  }
}

/** An engine on a store that carries out one call of a kind, and cuts its connection before the answer. */
function engineOn(cut: keyof StateStore, isMeant: (...args: readonly unknown[]) => boolean = () => true) {
  const store = new KeyedStore();
  let cuts = 0;
  const seen = viewOf(store, {
    async [cut](...args: never[]) {
      const answer: unknown = await Reflect.apply(Reflect.get(store, cut), store, args);
      if (cuts > 0 || !isMeant(...args)) return answer;
      cuts += 1;
      await afterCut();
      throw new Error(CUT);
    },
  });
  let afterCut = async () => undefined as unknown;
  const engine = new WorkflowEngine({ store: seen });
  const installed = Reflect.get(engine, 'store') === seen && EngineStore.install(engine, DEAF);
  if (!installed) throw new Error('expected the engine to keep its store');
  const inTurn: StateStore = Reflect.get(engine, 'store');
  return {
    store,
    engine,
    inTurn,
    cuts: () => cuts,
    meanwhile: (act: () => Promise<unknown>) => {
      afterCut = act;
    },
  };
}

const checkpoint = (status: StepCheckpoint['status'], attempts = 1): StepCheckpoint => ({
  runId: 'run',
  seq: 0,
  name: 'signal:go',
  kind: 'signal',
  stepId: 'run:0',
  status,
  attempts,
  enqueuedAt: new Date(),
  startedAt: new Date(),
  finishedAt: new Date(),
  ...(status === 'completed' ? { output: 'signalled' } : {}),
});

describe('a call of the store that was carried out, and whose connection was cut before the answer', () => {
  it('starts a child once, and its parent goes on', async () => {
    const { engine, cuts, store } = engineOn('createRun', (run) => String(Object(run).id).includes('.child.'));
    engine.register('child', '1', async () => 'done');
    engine.register('parent', '1', async (ctx) => ctx.child('child', {}));
    await asTurn('run', () => engine.start('parent', {}, 'run'));
    expect(await engine.waitForRun('run', { until: 'terminal', timeoutMs: 5_000 })).toMatchObject({ status: 'completed', output: 'done' });
    expect([cuts(), (await store.listRuns({})).length]).toEqual([1, 2]);
  });

  it('keeps the search attributes of a run, which a store may write after it', async () => {
    const { inTurn, store } = engineOn('createRun');
    const written: unknown[] = [];
    store.updateRun = async (runId, patch) => void written.push(runId, patch);
    const now = new Date();
    const searchAttributes = { amount: 12 };
    const run = { id: 'run', workflow: 'w', workflowVersion: '1', status: 'pending', input: {}, createdAt: now, updatedAt: now } as const;
    await asTurn('run', () => inTurn.createRun({ ...run, searchAttributes }));
    expect(written).toEqual(['run', { searchAttributes }]);
  });

  it('leaves the end of a wait that another instance has written meanwhile', async () => {
    const { inTurn, store, meanwhile } = engineOn('saveCheckpoint');
    meanwhile(() => store.saveCheckpoint(checkpoint('completed')));
    await asTurn('run', () => inTurn.saveCheckpoint(checkpoint('running')));
    expect(await store.getCheckpoint('run', 0)).toMatchObject({ status: 'completed', output: 'signalled' });
  });

  it('writes the next attempt of a step over the failure of the one before', async () => {
    const { inTurn, store, meanwhile } = engineOn('saveCheckpoint');
    meanwhile(() => store.saveCheckpoint(checkpoint('failed', 1)));
    await asTurn('run', () => inTurn.saveCheckpoint(checkpoint('pending', 2)));
    expect(await store.getCheckpoint('run', 0)).toMatchObject({ status: 'pending', attempts: 2 });
  });

  it('keeps an event once', async () => {
    const { inTurn, store, cuts } = engineOn('bufferEvent');
    await asTurn('run', () => inTurn.bufferEvent({ name: 'paid', payload: 1, id: 'event', publishedAt: 1 }));
    expect([cuts(), await store.listBufferedEvents('paid', 10)]).toEqual([1, [{ id: 'event', payload: 1, publishedAt: 1 }]]);
  });

  it('gives an event to the one who has taken it', async () => {
    const { inTurn, store } = engineOn('removeBufferedEvent');
    await store.bufferEvent({ name: 'paid', payload: 1, id: 'event', publishedAt: 1 });
    expect(await asTurn('run', () => inTurn.removeBufferedEvent('event'))).toBe(true);
    expect(await store.listBufferedEvents('paid', 10)).toEqual([]);
  });
});
