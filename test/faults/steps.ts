import { createHash } from 'node:crypto';
import type { StepContext } from '../../src/step/step-context.ts';

export const STEPS = ['faults.work', 'faults.flaky', 'faults.decline', 'faults.undo'] as const;
export type StepName = (typeof STEPS)[number];

/** Input of every step of the fault tests: unique, so that a result taken for another step shows. */
export interface Ticket {
  readonly runId: string;
  /** Which of the run's steps. */
  readonly label: string;
  readonly nonce: number;
}

/** What a step makes of its input; nobody else's input gives it. */
export function stampOf(step: StepName, ticket: Ticket): string {
  return `${step}/${ticket.runId}/${ticket.label}/${createHash('sha256').update(JSON.stringify(ticket)).digest('hex').slice(0, 12)}`;
}

/** All steps in one function: they differ by name. */
export async function runStep(input: unknown, { task }: Pick<StepContext, 'task'>): Promise<unknown> {
  const step = STEPS.find((name) => name === task.name);
  if (step === undefined) throw new Error(`expected one of ${STEPS.join(', ')}, got ${task.name}`);
  // Up to 15 ms of work, another for each input.
  await new Promise((resolve) => setTimeout(resolve, createHash('sha256').update(task.stepId).digest().readUInt8(0) % 15));
  if (step === 'faults.undo') return undo(input);
  const ticket = ticketOf(input);
  if (step === 'faults.decline') throw failure(`declined ${stampOf(step, ticket)}`, 'declined', false);
  if (step === 'faults.flaky' && task.attempt === 1) throw failure(`busy ${stampOf(step, ticket)}`, 'busy', true);
  return { stamp: stampOf(step, ticket) };
}

/** What was undone, by run: the compensation of a step is called with that step's input and output. */
export const undone = new Map<string, { readonly input: unknown; readonly output: unknown }[]>();

/** For a soak, in which runs are forgotten once they have ended. */
export function forget(runId: string): void {
  undone.delete(runId);
}

function undo(envelope: unknown): string {
  const { input, output }: { input?: unknown; output?: unknown } = typeof envelope === 'object' && envelope !== null ? envelope : {};
  const { runId } = ticketOf(input);
  undone.set(runId, [...(undone.get(runId) ?? []), { input, output }]);
  return 'undone';
}

function ticketOf(input: unknown): Ticket {
  if (typeof input === 'object' && input !== null && 'runId' in input && 'label' in input && 'nonce' in input) {
    const { runId, label, nonce } = input;
    if (typeof runId === 'string' && typeof label === 'string' && typeof nonce === 'number') return { runId, label, nonce };
  }
  throw new Error('the input is not one of this test');
}

function failure(message: string, code: string, retryable: boolean): Error {
  return Object.assign(new Error(message), { code, retryable });
}
