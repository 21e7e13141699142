import type { InMemoryStateStore } from '@dudousxd/nestjs-durable-core';
import { isRecord } from '../../src/wire/shape.ts';
import type { Ledger } from './ledger.ts';
import { currentTurn } from './turn.ts';

export const STORE_IS_DOWN = 'the store is down';

/** A store that can be down: every call rejects then, as a database's client does. */
export interface BreakableStore {
  readonly store: InMemoryStateStore;
  setDown(down: boolean): void;
}

export function breakable(store: InMemoryStateStore): BreakableStore {
  let down = false;
  return {
    store: intercepted(store, async (call) => {
      if (down) throw new Error(STORE_IS_DOWN);
      return call();
    }),
    setDown(value) {
      down = value;
    },
  };
}

/** A store for a process that can die: from then on no call of it is answered or comes into effect. */
export function mortal(store: InMemoryStateStore): { readonly store: InMemoryStateStore; end(): void } {
  let dead = false;
  const never = () => new Promise(() => undefined);
  return {
    store: intercepted(store, async (call) => {
      if (dead) return never();
      const answer = await call();
      return dead ? never() : answer;
    }),
    end() {
      dead = true;
    },
  };
}

/**
 * The store as one engine uses it, with a note of what the ledger needs: when a turn read its run, what was rejected,
 * whose lease ran out.
 */
export function observed(store: InMemoryStateStore, caller: string, ledger: Ledger): InMemoryStateStore {
  const { dispatches, history } = ledger;
  return intercepted(store, async (call, method, [subject, owner]) => {
    const turn = currentTurn();
    const runId = runIdIn(subject);
    if (method === 'listCheckpoints' && runId !== undefined) turn?.begunAt.set(runId, Date.now());
    try {
      const answer = await call();
      if (method === 'takeBufferedSignal' && isRecord(answer)) ledger.signals.taken(String(subject), answer['payload'], caller);
      if (method === 'saveCheckpoint' && isRecord(subject)) ledger.signals.saved(String(subject['name']));
      if (runId === undefined) return answer;
      if (method === 'tryLockRun' && answer === true) dispatches.locked(runId, String(owner));
      if (method === 'releaseRunLock') {
        dispatches.released(runId);
        turn?.endedAt.set(runId, Date.now());
      }
      return answer;
    } catch (error) {
      ledger.mishap('store calls rejected');
      if (runId === undefined) throw error;
      // A lease that is not renewed ends no turn.
      if (method !== 'renewRunLock' && turn !== undefined) {
        if (!turn.brokenAt.has(runId)) turn.brokenAt.set(runId, Date.now());
        ledger.storeFailed(runId);
      }
      history.note(runId, `${caller}: the store rejects ${method} of a ${turn?.origin ?? 'turn of unknown origin'}`);
      throw error;
    }
  });
}

export function intercepted(
  store: InMemoryStateStore,
  around: (call: () => unknown, method: string, args: readonly unknown[]) => Promise<unknown>,
): InMemoryStateStore {
  return new Proxy(store, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => around(() => Reflect.apply(member, target, args), String(property), args);
    },
  });
}

/** Store calls are about a run by its id, or about a checkpoint that names it. */
function runIdIn(subject: unknown): string | undefined {
  if (typeof subject === 'string') return subject;
  if (typeof subject !== 'object' || subject === null || !('runId' in subject)) return undefined;
  return typeof subject.runId === 'string' ? subject.runId : undefined;
}
