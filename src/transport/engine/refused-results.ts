import { ResultRefusedError } from '../../errors.ts';
import type { StepResult } from '../../wire/step-result.ts';
import type { GivenResult } from './given.ts';

/** Receives at which a result that is still rejected may be judged. The four before take a quarter of a minute. */
const JUDGED_FROM_RECEIVE = 5;
/** Where the engine has written nothing else, one result is judged in this time. */
const UNSIGNED_EVERY_MS = 60_000;
/** Rejected results that are remembered. One that is forgotten is judged one receive later. */
const REMEMBERED = 5_000;

/**
 * Fails the step of a result whose value the engine's store refuses. Without it the run would wait until the result is
 * a dead letter, and then for ever. What a store refuses is its own affair: PostgreSQL's `jsonb` holds no NUL and no
 * half of a surrogate pair, so a text that somebody typed can do it.
 *
 * A store that reads and does not write (a replica, a full disk) rejects results too, and their steps must not fail for
 * that. So a step is failed only where the engine has written something else between two rejections of its result, and
 * where the store takes the failure a moment after it has refused the result once more. The result loses its log lines
 * first: they may hold the value.
 */
export class RefusedResults {
  /** Writes of the engine that were heard of. */
  writes = 0;
  readonly #now: () => number;
  /** By step: how many there were when its result was last rejected. Oldest first. */
  readonly #rejected = new Map<string, number>();
  #unsignedAt = Number.NEGATIVE_INFINITY;

  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Judges a result that the engine has just rejected, and which is still with it.
   * @returns why its step was failed; undefined where the engine has accepted it after all, if without its log lines
   * @throws what the engine rejected it with, where it is to be redelivered
   */
  async judge(given: GivenResult, rejection: unknown): Promise<ResultRefusedError | undefined> {
    // What is recorded was not refused: it was the turn after it that failed.
    if (given.recorded || !this.#mayBeRefused(given)) throw rejection;
    const { result } = given;
    if (await this.#accepts(given, result)) return undefined;
    if (result.events !== undefined && (await this.#accepts(given, { ...result, events: undefined }))) return undefined;
    const refused = new ResultRefusedError(result, codeOf(rejection));
    // Recorded: else another instance has had a copy of the result meanwhile, and the engine dropped this one.
    if ((await this.#accepts(given, failedResult(result, refused))) && given.recorded) return refused;
    throw rejection;
  }

  #mayBeRefused({ result: { stepId }, receiveCount }: GivenResult): boolean {
    const writesBefore = this.#rejected.get(stepId);
    this.#rejected.delete(stepId);
    this.#rejected.set(stepId, this.writes);
    const [oldest] = this.#rejected.size > REMEMBERED ? this.#rejected.keys() : [];
    if (oldest !== undefined) this.#rejected.delete(oldest);
    if (receiveCount < JUDGED_FROM_RECEIVE || writesBefore === undefined) return false;
    if (writesBefore < this.writes) return true;
    // Nobody else has anything to write, as it seems. If the step can be failed, that is a write, and a sign for the
    // others.
    const now = this.#now();
    if (now < this.#unsignedAt + UNSIGNED_EVERY_MS) return false;
    this.#unsignedAt = now;
    return true;
  }

  async #accepts(given: GivenResult, result: StepResult): Promise<boolean> {
    // The try before this one was recorded, and its turn failed.
    if (given.recorded) return false;
    try {
      await given.source.handler(result);
    } catch {
      return false;
    }
    return true;
  }
}

/** What the engine is told instead. */
function failedResult({ runId, seq, stepId, startedAt }: StepResult, { message, code }: ResultRefusedError): StepResult {
  return { runId, seq, stepId, status: 'failed', error: { message, code, retryable: false }, startedAt };
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return /^\w{1,40}$/.test(code) ? ` (${code})` : '';
}
