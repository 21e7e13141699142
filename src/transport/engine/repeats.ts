import type { StateStore, StepCheckpoint } from '@dudousxd/nestjs-durable-core';

/** As many events of one name as are looked through. */
const MOST_EVENTS = 1_000;
const OVER: ReadonlySet<StepCheckpoint['status']> = new Set(['completed', 'failed']);

/**
 * A store for calls that have failed and are made again. Such a call may have been carried out: a database that
 * restarts cuts connections after the commit, too, and before the answer. Most calls can be made twice as they are.
 * These cannot:
 * - `createRun`: the second finds its key taken, and the parent of a child would fail
 * - `saveCheckpoint`: the second would undo the end that another instance has written meanwhile
 * - `bufferEvent`: as `createRun`
 * - `removeBufferedEvent`: the second finds nothing, and nobody would get the event
 *
 * A signal is taken by its token, and a store does not say whether there was one: where the answer is cut off, a
 * buffered signal is lost, and a waiter gets its signal with the engine's `reconcileMs`.
 */
export function storeForRepeats(store: StateStore): StateStore {
  const own: Partial<StateStore> = {
    async createRun(run) {
      // Another instance's run of this id is as good: the engine runs it or leaves it to that instance.
      if ((await store.getRun(run.id)) === null) await store.createRun(run);
      // A store may index them apart from the run, and after it.
      else if (run.searchAttributes !== undefined) await store.updateRun(run.id, { searchAttributes: run.searchAttributes });
    },
    async saveCheckpoint(checkpoint) {
      const saved = await store.getCheckpoint(checkpoint.runId, checkpoint.seq);
      const isLater = saved !== null && OVER.has(saved.status) && !OVER.has(checkpoint.status) && saved.attempts >= checkpoint.attempts;
      if (!isLater) await store.saveCheckpoint(checkpoint);
    },
    async bufferEvent(event) {
      const events = await store.listBufferedEvents(event.name, MOST_EVENTS);
      if (!events.some(({ id }) => id === event.id)) await store.bufferEvent(event);
    },
    async removeBufferedEvent(id) {
      await store.removeBufferedEvent(id);
      return true;
    },
  };
  return new Proxy(store, {
    get(target, property) {
      const member: unknown = Reflect.get(own, property) ?? Reflect.get(target, property);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}
