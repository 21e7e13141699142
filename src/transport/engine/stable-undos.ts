import type { StepCheckpoint } from '@dudousxd/nestjs-durable-core';
import { isRecord } from '../../wire/shape.ts';

/** The engine's: a completed step that is to be undone. */
type Completed = unknown;

interface Step {
  readonly completed: Completed;
  readonly name: string;
  /** What its undo is given. Undefined for one that is undone in the engine's process. */
  readonly values: unknown;
  /** Epoch milliseconds. Undefined where it is not known which checkpoint is that of the step. */
  readonly finishedAt: number | undefined;
}

const UNDO = 'compensate:';

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
    const isKnown = Array.isArray(completed) && replay instanceof Map;
    const places = isKnown ? inPlace(completed, [...replay.values()].filter(isCheckpoint)) : completed;
    return Reflect.apply(unwind, engine, [run, places, replay, ...rest]);
  });
}

/**
 * @param completed the engine undoes the last one first, under number -1
 * @param checkpoints of the run
 * @returns the same steps, each at the place of its undo. Undefined where an undo has none: the engine passes over it
 */
export function inPlace(completed: readonly Completed[], checkpoints: readonly StepCheckpoint[]): readonly Completed[] {
  const undos = checkpoints.filter(({ seq }) => seq < 0).toSorted((one, other) => other.seq - one.seq);
  if (undos.length === 0) return completed;
  const left = new Set(stepsOf(completed, checkpoints));
  const places = new Map<number, Completed>();
  const place = (undo: StepCheckpoint, step: Step | undefined) => {
    if (step === undefined) return;
    left.delete(step);
    places.set(undo.seq, step.completed);
  };
  for (const keyOf of KEYS) {
    const byKey = Map.groupBy(left, keyOf);
    for (const undo of undos) {
      const key = keyOf({ name: undo.name.slice(UNDO.length), values: undo.input });
      if (places.has(undo.seq) || key === undefined) continue;
      const alike = byKey.get(key)?.filter((step) => left.has(step)) ?? [];
      const begunAt = undo.enqueuedAt.getTime();
      // As they are numbered: the last of those that had completed when the undo began.
      place(undo, alike.findLast(({ finishedAt }) => finishedAt !== undefined && finishedAt <= begunAt) ?? alike.at(-1));
    }
  }
  let last = Math.min(...undos.map(({ seq }) => seq));
  for (const { completed: late } of [...left].toReversed()) {
    last -= 1;
    places.set(last, late);
  }
  return Array.from({ length: -last }, (_, index) => places.get(last + index));
}

/** The engine lists completed steps in the order of their calls, as their checkpoints are numbered. */
function stepsOf(completed: readonly Completed[], checkpoints: readonly StepCheckpoint[]): Step[] {
  const done = checkpoints.filter(({ seq, status }) => seq >= 0 && status === 'completed').toSorted((one, other) => one.seq - other.seq);
  const doneByName = Map.groupBy(done, ({ name }) => name);
  const byName = Map.groupBy(completed, nameOf);
  const seen = new Map<string, number>();
  return completed.map((step) => {
    const name = nameOf(step);
    const index = seen.get(name) ?? 0;
    seen.set(name, index + 1);
    const own = doneByName.get(name) ?? [];
    // Some of its name may have nothing that undoes them.
    const isKnown = own.length === byName.get(name)?.length;
    const values = isRecord(step) && isRecord(step['dispatch']) ? step['dispatch']['args'] : undefined;
    return { completed: step, name, values, finishedAt: isKnown ? own[index]?.finishedAt.getTime() : undefined };
  });
}

function nameOf(step: Completed): string {
  return isRecord(step) ? String(step['name']) : '';
}

type Keyed = Pick<Step, 'name' | 'values'>;

/**
 * What a step and its undo have in common, the surest first. An input may be another one in each turn (the time, a
 * random id), an output is that of the checkpoint, and an undo in the process is given neither. Undefined for nothing.
 */
const KEYS: readonly ((keyed: Keyed) => string | undefined)[] = [
  ({ name, values }) => keyOfValues(name, values),
  ({ name, values }) => keyOfValues(name, isRecord(values) ? values['output'] : undefined),
  ({ name }) => name,
];

/** The same for what a store gives back, in whatever order of its fields. */
function keyOfValues(name: string, values: unknown): string | undefined {
  if (values === undefined) return undefined;
  try {
    return `${name} ${JSON.stringify(values, (_, value: unknown) => (isRecord(value) ? sorted(value) : value))}`;
  } catch {
    return undefined;
  }
}

function sorted(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

function isCheckpoint(value: unknown): value is StepCheckpoint {
  return isRecord(value) && typeof value['seq'] === 'number' && typeof value['name'] === 'string';
}
