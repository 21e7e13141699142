import type { InMemoryStateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import type { ServeTasks } from './lambda-fleet.ts';
import type { Run } from './runs.ts';
import { serveSteps, serveTurns } from './served.ts';
import { STEPS } from './steps.ts';
import { TURN_KINDS, type TurnKind } from './turn-functions.ts';
import { judgeTurns, makeTurnRuns, registerTurns, signalFor } from './turn-workload.ts';
import type { Evidence, Verdict } from './verdict.ts';
import { judge, type Kind, makeRuns, register } from './workload.ts';

/** What somebody outside does to a run, a little after its start. */
export type Outside = { readonly signal: { readonly token: string; readonly payload: unknown } } | 'cancel';

/** Runs of a scenario, and the functions that they need. */
export interface Workload<Kind extends string = string> {
  /** By the name of what their tasks are for. */
  readonly functions: ReadonlyMap<string, ServeTasks>;
  makeRuns(name: string, steps: number, engines: number, random: () => number): Run<Kind>[];
  register(engine: WorkflowEngine): void;
  /** The transport is attached to the engine itself, not to what a test shows of it. */
  readonly attachesEngine: boolean;
  /** A second engine is killed once its runs are in the middle of their work. */
  readonly killsInTheMiddle: boolean;
  outside(run: Run<Kind>): Outside | undefined;
  judge(run: Run<Kind>, store: InMemoryStateStore, evidence: Evidence): Promise<Verdict>;
}

// A result of a `timeoutMs` step is lost where another instance receives it: with two instances these are left out.
const EVERYWHERE: readonly Kind[] = ['one', 'three', 'fan', 'retried', 'compensated'];

/** Workflows in the engine's process, steps on Lambda. */
export const STEP_WORKLOAD: Workload<Kind> = {
  functions: new Map(STEPS.map((step) => [step, serveSteps])),
  makeRuns: (name, steps, engines, random) => makeRuns(name, steps, engines === 1 ? [...EVERYWHERE, 'patient'] : EVERYWHERE, random),
  register,
  attachesEngine: true,
  killsInTheMiddle: false,
  outside: () => undefined,
  judge,
};

/**
 * Without compensations: one that is sent again at its deadline is sent as the same attempt, which the book of
 * dispatches does not tell from a fault. `test:postgres` has them.
 */
export const FUNCTION_WORKLOAD: Workload<Kind> = {
  ...STEP_WORKLOAD,
  makeRuns: (name, steps, _engines, random) => makeRuns(name, steps, ['one', 'three', 'fan', 'retried'], random),
};

/** Workflows and steps on Lambda. */
export const TURN_WORKLOAD: Workload<TurnKind> = {
  functions: new Map([...STEP_WORKLOAD.functions, ...TURN_KINDS.map((kind) => [kind, serveTurns] as const)]),
  makeRuns: (name, steps, _engines, random) => makeTurnRuns(name, steps, random),
  register: registerTurns,
  attachesEngine: true,
  killsInTheMiddle: true,
  outside(run) {
    if (run.kind === 'cancelled') return 'cancel';
    return run.kind === 'signalled' ? { signal: signalFor(run) } : undefined;
  },
  judge: judgeTurns,
};
