import type { StateStore, StepCheckpoint } from '@dudousxd/nestjs-durable-core';
import { isRecord } from '../wire/shape.ts';
import { OpenWork } from './open-work.ts';

/**
 * Beside `saveCheckpoint`, the second half of something: what is taken from the store is put back, what was saved is
 * cleared away.
 */
const FINISHES: ReadonlySet<string | symbol> = new Set<keyof StateStore>(['removeSignalWaiter', 'bufferSignal', 'bufferEvent']);

/**
 * A store whose every call is part of the work that makes it.
 * @param onSaved told of each checkpoint once the store has it
 */
export function countedStore(store: StateStore, onSaved: (checkpoint: StepCheckpoint) => void): StateStore {
  const members = new Map<string | symbol, unknown>();
  const own: Partial<StateStore> = {
    async saveCheckpoint(checkpoint) {
      asksFor(checkpoint);
      await OpenWork.ofStore(() => store.saveCheckpoint(checkpoint), true);
      onSaved(checkpoint);
    },
  };
  return new Proxy(store, {
    get(target, property) {
      const ours: unknown = Reflect.get(own, property) ?? members.get(property);
      if (ours !== undefined) return ours;
      const member: unknown = Reflect.get(target, property);
      if (typeof member !== 'function') return member;
      const finishes = FINISHES.has(property);
      const counted = (...given: unknown[]) => {
        asksFor(given[0]);
        return OpenWork.ofStore(async () => Reflect.apply(member, target, given), finishes);
      };
      members.set(property, counted);
      return counted;
    },
  });
}

/** The first argument of a call: the id of a run, the run itself, or what belongs to it. A token harms nobody. */
function asksFor(subject: unknown): void {
  const runId = isRecord(subject) ? (subject['runId'] ?? subject['id']) : subject;
  if (typeof runId === 'string') OpenWork.current()?.asksFor(runId);
}
