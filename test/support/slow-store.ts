import { InMemoryStateStore } from '@dudousxd/nestjs-durable-core';

/**
 * A store as a database is: most calls take 0 to 5 ms, 2 % take 60. A uniform delay would hide the races that this
 * shows.
 */
export function slowStore(seed: number): InMemoryStateStore {
  const random = seededRandom(seed);
  const delay = () => (random() < 0.02 ? 60 : random() * 5);
  const store = new InMemoryStateStore();
  return new Proxy(store, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property);
      if (typeof member !== 'function') return member;
      return async (...args: unknown[]) => {
        await new Promise((resolve) => setTimeout(resolve, delay()));
        return Reflect.apply(member, target, args);
      };
    },
  });
}

/** mulberry32: the same numbers for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
