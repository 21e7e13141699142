import type { InMemoryStateStore } from '@dudousxd/nestjs-durable-core';

/** A store that can be down: every call rejects then, as a database's client does. */
export interface BreakableStore {
  readonly store: InMemoryStateStore;
  setDown(down: boolean): void;
}

export function breakable(store: InMemoryStateStore): BreakableStore {
  let down = false;
  return {
    store: intercepted(store, async (call) => {
      if (down) throw new Error('the store is down');
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

function intercepted(store: InMemoryStateStore, around: (call: () => unknown) => Promise<unknown>): InMemoryStateStore {
  return new Proxy(store, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property);
      return typeof member === 'function' ? (...args: unknown[]) => around(() => Reflect.apply(member, target, args)) : member;
    },
  });
}
