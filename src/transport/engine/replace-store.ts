import type { StateStore } from '@dudousxd/nestjs-durable-core';
import { isRecord } from '../../wire/shape.ts';

/**
 * Puts a store in the place of an engine's. Its gate of singletons keeps the store from its construction, so there,
 * too.
 *
 * The engine has no public way to its store.
 */
export function replaceStore(engine: object, store: StateStore, replacement: StateStore): void {
  const gate: unknown = Reflect.get(engine, 'singletons');
  const kept: unknown = isRecord(gate) ? gate['deps'] : undefined;
  if (isRecord(kept) && kept['store'] === store) kept['store'] = replacement;
  Reflect.set(engine, 'store', replacement);
}
