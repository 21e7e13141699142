import type { WorkflowCommand, WorkflowDecision } from '@dudousxd/nestjs-durable-core';
import type { SQSRecord } from 'aws-lambda';
import { attempt } from '../../../attempt.ts';
import { subjectOfKey } from '../../../payloads/payload-key.ts';
import { decodePointer } from '../../../payloads/pointer.ts';
import { taskSubject } from '../../../step/task-subject.ts';
import { decodeAnswer, idsOf } from '../../../transport/results/answer.ts';

/**
 * What became of one record of an invocation: the task of a step, or a turn of a workflow. For a turn, its own id
 * stands for a step's.
 */
export type StepOutcome = { readonly runId?: string; readonly stepId?: string } & (
  | { readonly outcome: 'ok' }
  /** The turn of a workflow has suspended its run. */
  | { readonly outcome: 'waits'; readonly waitsFor: readonly string[] }
  | { readonly outcome: 'failed'; readonly code?: string; readonly message: string }
  /** The engine has it. */
  | { readonly outcome: 'taken' }
  /** It stays on its queue. */
  | { readonly outcome: 'redelivered' }
  /** It is deleted, and no result was sent: where it was a task, its run waits for ever. */
  | { readonly outcome: 'no result' }
);

/** Reads a stored body. */
export type ReadStored = (pointer: { readonly bucket: string; readonly key: string }) => Promise<string>;

type Ids = { readonly runId: string; readonly stepId: string };

/** Results of container workers belong to no invocation: the oldest are forgotten. */
const REMEMBERED = 10_000;

/**
 * Knows what became of steps and turns by the results and decisions that were sent: whatever a function answers, only
 * these let a run go on. They are sent before the function answers, so they are here when the answer is.
 */
export class StepOutcomes {
  readonly #readStored: ReadStored;
  /** Bodies of results and decisions by run and step or turn, each the last. */
  readonly #results = new Map<string, string>();

  constructor(readStored: ReadStored) {
    this.#readStored = readStored;
  }

  /** Takes note of a message to the results queue. */
  noteResult(body: string): void {
    const ids = answerIds(body);
    if (ids === undefined) return;
    const key = keyOf(ids);
    this.#results.delete(key);
    this.#results.set(key, body);
    const [oldest] = this.#results.keys();
    if (this.#results.size > REMEMBERED && oldest !== undefined) this.#results.delete(oldest);
  }

  /**
   * What became of the records of an invocation that has ended.
   * @param failedIds message ids of the records that stay on their queue
   */
  outcomesOf(records: readonly SQSRecord[], failedIds: ReadonlySet<string>): Promise<StepOutcome[]> {
    return Promise.all(
      records.map(async ({ messageId, body }): Promise<StepOutcome> => {
        const ids = taskIds(body);
        const result = ids === undefined ? undefined : this.#takeResult(ids);
        if (failedIds.has(messageId)) return { ...ids, outcome: 'redelivered' };
        return { ...ids, ...(result === undefined ? NO_RESULT : await this.#outcomeOf(result)) };
      }),
    );
  }

  #takeResult(ids: Ids): string | undefined {
    const key = keyOf(ids);
    const body = this.#results.get(key);
    this.#results.delete(key);
    return body;
  }

  async #outcomeOf(body: string): Promise<AnsweredOutcome> {
    const pointer = decodePointer(body);
    try {
      const { result, decision } = decodeAnswer(pointer === undefined ? body : await this.#readStored(pointer));
      const { status, error } = result ?? decision;
      if (decision?.status === 'continue') return { outcome: 'waits', waitsFor: waitsFor(decision) };
      if (status !== 'failed') return { outcome: 'ok' };
      const { code, message = '' } = error ?? {};
      return { outcome: 'failed', ...(code === undefined ? {} : { code }), message };
    } catch (error) {
      return { outcome: 'failed', message: `its stored result cannot be read: ${error instanceof Error ? error.message : 'unknown'}` };
    }
  }
}

const NO_RESULT = { outcome: 'no result' } as const;

/** What a result or a decision says. */
type AnsweredOutcome = Extract<StepOutcome, { readonly outcome: 'ok' | 'waits' | 'failed' }>;

function taskIds(body: string): Ids | undefined {
  const subject = taskSubject(body);
  return subject && { runId: subject.runId, stepId: subject.stepId };
}

/** Whose a result or a decision is: by its fields, or by the key that a stored one has. */
function answerIds(body: string): Ids | undefined {
  const pointer = decodePointer(body);
  const ids = pointer === undefined ? attempt(() => idsOf(decodeAnswer(body))) : subjectOfKey(pointer.key);
  return ids && { runId: ids.runId, stepId: ids.stepId };
}

function waitsFor({ commands }: WorkflowDecision): string[] {
  return commands.flatMap((command) => waitsForOne(command) ?? []);
}

function waitsForOne(command: WorkflowCommand): string | undefined {
  switch (command.kind) {
    case 'call':
      return `step ${command.name}`;
    case 'sleep':
      return `a timer of ${command.ms} ms`;
    case 'waitSignal':
      return `signal ${command.signal}`;
    case 'startChild':
      return `child ${command.workflow}`;
    case 'recordStep':
      return undefined;
  }
}

function keyOf({ runId, stepId }: Ids): string {
  return JSON.stringify([runId, stepId]);
}
