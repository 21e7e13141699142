import type { StateStore, StepCheckpoint } from '@dudousxd/nestjs-durable-core';
import { OpenWork } from './open-work.ts';

/**
 * A store whose every call is part of the work that makes it.
 * @param onSaved told of each checkpoint once the store has it
 */
export function countedStore(store: StateStore, onSaved: (checkpoint: StepCheckpoint) => void): StateStore {
  const members = new Map<string | symbol, unknown>();
  const own: Partial<StateStore> = {
    async saveCheckpoint(checkpoint) {
      await OpenWork.ofStore(() => store.saveCheckpoint(checkpoint));
      onSaved(checkpoint);
    },
  };
  return new Proxy(store, {
    get(target, property) {
      const ours: unknown = Reflect.get(own, property) ?? members.get(property);
      if (ours !== undefined) return ours;
      const member: unknown = Reflect.get(target, property);
      if (typeof member !== 'function') return member;
      const counted = (...given: unknown[]) => OpenWork.ofStore(async () => Reflect.apply(member, target, given));
      members.set(property, counted);
      return counted;
    },
  });
}
