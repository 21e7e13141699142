import type { SQSRecord } from 'aws-lambda';
import { subjectOfKey } from '../../../payloads/payload-key.ts';
import { decodePointer } from '../../../payloads/pointer.ts';
import { decodeRemoteTask } from '../../../wire/remote-task.ts';
import { decodeStepResult } from '../../../wire/step-result.ts';

/** What became of one record of an invocation. */
export type StepOutcome = { readonly runId?: string; readonly stepId?: string } & (
  | { readonly outcome: 'ok' }
  | { readonly outcome: 'failed'; readonly code?: string; readonly message: string }
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
 * Knows what became of steps by the results that were sent: whatever a function answers, only a result lets a run go on. A result is sent
 * before its function answers, so it is here when the answer is.
 */
export class StepOutcomes {
  readonly #readStored: ReadStored;
  /** Bodies of results by run and step, each the last of its step. */
  readonly #results = new Map<string, string>();

  constructor(readStored: ReadStored) {
    this.#readStored = readStored;
  }

  /** Takes note of a message to the results queue. */
  noteResult(body: string): void {
    const ids = idsOf(body, decodeStepResult);
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
        const ids = idsOf(body, decodeRemoteTask);
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

  async #outcomeOf(body: string): Promise<{ outcome: 'ok' } | { outcome: 'failed'; code?: string; message: string }> {
    const pointer = decodePointer(body);
    try {
      const { status, error } = decodeStepResult(pointer === undefined ? body : await this.#readStored(pointer));
      if (status === 'completed') return { outcome: 'ok' };
      const { code, message = '' } = error ?? {};
      return { outcome: 'failed', ...(code === undefined ? {} : { code }), message };
    } catch (error) {
      return { outcome: 'failed', message: `its stored result cannot be read: ${error instanceof Error ? error.message : 'unknown'}` };
    }
  }
}

const NO_RESULT = { outcome: 'no result' } as const;

/** Whose a body is: by its fields, or by the key that a stored one has. */
function idsOf(body: string, decode: (body: string) => Ids): Ids | undefined {
  const pointer = decodePointer(body);
  if (pointer !== undefined) {
    const subject = subjectOfKey(pointer.key);
    return subject === undefined ? undefined : { runId: subject.runId, stepId: subject.stepId };
  }
  try {
    const { runId, stepId } = decode(body);
    return { runId, stepId };
  } catch {
    return undefined;
  }
}

function keyOf({ runId, stepId }: Ids): string {
  return JSON.stringify([runId, stepId]);
}
