import { isDeepStrictEqual } from 'node:util';
import type { StepCheckpoint } from '@dudousxd/nestjs-durable-core';
import { isRecord } from '../../wire/shape.ts';

/** The engine's: a completed step that is to be undone. */
type Completed = unknown;

/**
 * Has the engine undo each step once, also where steps complete late.
 *
 * The engine undoes the completed steps of a failed run from the last to the first, and numbers the checkpoints of
 * these undos -1, -2 and so on. A step that completes after its run has failed is one more in that list, so the numbers
 * shift: the engine takes the undo of one step for that of another. One is undone twice and another one never. So here
 * each step gets the number back that its undo has, and late ones get those after it.
 *
 * Where the engine has no such method any more, nothing is replaced.
 */
export function installStableUndos(engine: object): void {
  const unwind: unknown = Reflect.get(engine, 'unwindCompensations');
  if (typeof unwind !== 'function') return;
  Reflect.set(engine, 'unwindCompensations', (run: unknown, completed: unknown, replay: unknown, ...rest: unknown[]) => {
    const places = Array.isArray(completed) && replay instanceof Map ? inPlace(completed, undosOf(replay)) : completed;
    return Reflect.apply(unwind, engine, [run, places, replay, ...rest]);
  });
}

/**
 * @param completed steps in the order of their completion: the engine undoes the last one first, under number -1
 * @param undos checkpoints of undos
 * @returns the same steps, each at the place of its undo. Undefined where an undo has none: the engine passes over it
 */
export function inPlace(completed: readonly Completed[], undos: readonly StepCheckpoint[]): readonly Completed[] {
  if (undos.length === 0) return completed;
  const steps = [...completed];
  const places = new Map<number, Completed>();
  // The first to complete have the lowest numbers. Two steps may have a name in
  // common: first those whose values are the same, too.
  const oldestFirst = undos.toSorted((one, other) => one.seq - other.seq);
  for (const isOf of [isSame, hasName]) {
    for (const undo of oldestFirst) {
      const index = places.has(undo.seq) ? -1 : steps.findIndex((step) => isOf(step, undo));
      if (index >= 0) places.set(undo.seq, steps.splice(index, 1)[0]);
    }
  }
  let last = Math.min(...undos.map(({ seq }) => seq));
  for (const late of steps.toReversed()) {
    last -= 1;
    places.set(last, late);
  }
  return Array.from({ length: -last }, (_, index) => places.get(last + index));
}

function undosOf(replay: ReadonlyMap<unknown, unknown>): StepCheckpoint[] {
  return [...replay.values()].filter(isCheckpoint).filter(({ seq }) => seq < 0);
}

function isCheckpoint(value: unknown): value is StepCheckpoint {
  return isRecord(value) && typeof value['seq'] === 'number' && typeof value['name'] === 'string';
}

function hasName(step: Completed, { name }: StepCheckpoint): boolean {
  return isRecord(step) && name === `compensate:${String(step['name'])}`;
}

/** An undo that goes to a worker is given the step's input and output; one in the engine's process is given nothing. */
function isSame(step: Completed, undo: StepCheckpoint): boolean {
  if (!isRecord(step) || !isRecord(step['dispatch']) || !hasName(step, undo)) return false;
  return isDeepStrictEqual(asStored(step['dispatch']['args']), asStored(undo.input));
}

/** As a store gives it back. What cannot become JSON equals itself only. */
function asStored(value: unknown): unknown {
  try {
    const json = JSON.stringify(value);
    return json === undefined ? undefined : JSON.parse(json);
  } catch {
    return value;
  }
}
