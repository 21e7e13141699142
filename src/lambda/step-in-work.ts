import type { LogFields, Logger } from '../logger.ts';
import type { ReadableError } from '../step/readable-error.ts';
import type { TaskRun } from '../step/run-task.ts';
import type { Sealing } from '../step/sealing.ts';
import type { Unsent } from './warm-repeats.ts';

/** A step of an invocation, from its start until SQS has its result or has refused it. One object: there may be 10,000. */
export class StepInWork implements TaskRun, Sealing {
  readonly sealing: Sealing | undefined;
  seal: (() => void) | undefined;
  thrown: ReadableError | undefined;
  /** Its result, once there is one. */
  unsent: Unsent | undefined;
  /** Whether its time was over before it had ended. */
  outOfTime = false;
  readonly #ids: LogFields;
  readonly #logger: Logger;

  /** @param endless whether nothing can end its time */
  constructor(ids: LogFields, logger: Logger, endless: boolean) {
    this.#ids = ids;
    this.#logger = logger;
    this.sealing = endless ? undefined : this;
  }

  /** Its time is over. */
  end(): void {
    if (this.seal === undefined) return;
    this.outOfTime = true;
    this.seal();
  }

  onLate(): void {
    this.#logger.warn('a step went on after its time; what it did since is dropped', this.#ids);
  }
}
