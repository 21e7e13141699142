import { createHash } from 'node:crypto';
import type { StepContext } from '../../src/step/step-context.ts';

export const STEPS = ['postgres.work', 'postgres.flaky', 'postgres.decline', 'postgres.undo'] as const;
export type StepName = (typeof STEPS)[number];

/** Input of every step: unique, so that a result taken for another step shows. */
export interface Ticket {
  readonly runId: string;
  /** Which of the run's steps. */
  readonly label: string;
}

/** A flaky step fails so often before it succeeds. */
export const FLAKY_FAILURES = 2;

/** What a step makes of its input; nobody else's input gives it. */
export function stampOf(step: StepName, { runId, label }: Ticket): string {
  return `${step}/${label}/${createHash('sha256').update(`${step} ${runId} ${label}`).digest('hex').slice(0, 16)}`;
}

/** All steps in one function: they differ by name. */
export async function runStep(input: unknown, { task }: Pick<StepContext, 'task'>): Promise<unknown> {
  const step = STEPS.find((name) => name === task.name);
  if (step === undefined) throw new Error(`expected one of ${STEPS.join(', ')}, got ${task.name}`);
  // Up to 15 ms of work, another for each step.
  await new Promise((resolve) => setTimeout(resolve, createHash('sha256').update(task.stepId).digest().readUInt8(0) % 15));
  if (step === 'postgres.undo') return { undone: input };
  const ticket = ticketOf(input);
  if (step === 'postgres.decline') throw failure(`declined ${stampOf(step, ticket)}`, 'declined', false);
  if (step === 'postgres.flaky' && (task.attempt ?? 1) <= FLAKY_FAILURES) throw failure(`busy ${stampOf(step, ticket)}`, 'busy', true);
  return stampOf(step, ticket);
}

function ticketOf(input: unknown): Ticket {
  if (typeof input === 'object' && input !== null && 'runId' in input && 'label' in input) {
    const { runId, label } = input;
    if (typeof runId === 'string' && typeof label === 'string') return { runId, label };
  }
  throw new Error('the input is not one of this test');
}

function failure(message: string, code: string, retryable: boolean): Error {
  return Object.assign(new Error(message), { code, retryable });
}
