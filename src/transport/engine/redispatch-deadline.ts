import type { StepCheckpoint } from '@dudousxd/nestjs-durable-core';

/**
 * When the tasks of steps are sent once more (`remoteRedispatchMs`): so long after they were queued, and not as the
 * engine itself notes it.
 *
 * The engine notes the deadline in the next turn of the run, by writing back the checkpoint of a step that is out as
 * that turn has read it. A result that was saved in between is overwritten: its step is out again, and runs a second
 * time at the deadline. And a failure that comes after that keeps the deadline as the pause before the next attempt,
 * which then waits for as long. So the engine reads a deadline in each checkpoint of a step that is out, and none is
 * stored.
 */
export class RedispatchDeadline {
  readonly #redispatchMs: () => number | undefined;

  /** @param redispatchMs undefined where no task is sent once more */
  constructor(redispatchMs: () => number | undefined) {
    this.#redispatchMs = redispatchMs;
  }

  /** Whether tasks are sent once more at all. */
  get isSet(): boolean {
    return this.#redispatchMs() !== undefined;
  }

  /** A checkpoint as the engine is to read it. */
  read(checkpoint: StepCheckpoint): StepCheckpoint {
    if (checkpoint.kind !== 'remote' || checkpoint.status !== 'pending') return checkpoint;
    const wakeAt = this.#of(checkpoint);
    return wakeAt === undefined ? checkpoint : { ...checkpoint, wakeAt };
  }

  /** Whether a step is out for longer than its task is waited for. */
  isOver(checkpoint: StepCheckpoint): boolean {
    const { kind, status } = checkpoint;
    return kind === 'remote' && status === 'pending' && (this.#of(checkpoint) ?? Number.POSITIVE_INFINITY) <= Date.now();
  }

  /**
   * A checkpoint as a turn is to read it. A compensation whose deadline is over reads as an attempt that has failed and
   * may be made again: the engine sends it once more then, as the same attempt, and waits for ever for one that is out.
   */
  readInTurn(checkpoint: StepCheckpoint): StepCheckpoint {
    if (checkpoint.seq >= 0 || !this.isOver(checkpoint)) return this.read(checkpoint);
    const error = { message: 'the compensation was not answered', retryable: true };
    return { ...checkpoint, status: 'failed', attempts: checkpoint.attempts - 1, wakeAt: this.#of(checkpoint), error };
  }

  /** A checkpoint as it is to be stored. */
  written(checkpoint: StepCheckpoint): StepCheckpoint {
    if (checkpoint.kind !== 'remote' || checkpoint.wakeAt === undefined) return checkpoint;
    const deadline = this.#of(checkpoint);
    const isDeadline = deadline !== undefined && (checkpoint.status === 'pending' || checkpoint.wakeAt === deadline);
    return isDeadline ? { ...checkpoint, wakeAt: undefined } : checkpoint;
  }

  #of({ enqueuedAt }: StepCheckpoint): number | undefined {
    const redispatchMs = this.#redispatchMs();
    return redispatchMs === undefined ? undefined : enqueuedAt.getTime() + redispatchMs;
  }
}

/** What the engine was given. */
export function redispatchMsOf(engine: object): number | undefined {
  const value: unknown = Reflect.get(engine, 'remoteRedispatchMs');
  return typeof value === 'number' ? value : undefined;
}
