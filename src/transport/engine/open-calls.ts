import { nextTurn } from '../../time.ts';

interface CallsOfRun {
  count: number;
  /** Settles when the end of the run is written, which the engine is doing. No turn follows it. */
  end: Promise<unknown> | undefined;
  /** Who waits until there is none. */
  onQuiet: (() => void)[] | undefined;
  /** A call is answered. */
  readonly close: () => void;
}

/** Of the event loop, without an open call: what the engine asks for with an answer, it asks for in the same. */
const QUIET_TURNS = 3;

/** What an engine has asked its store for, by run, and has no answer to. */
export class OpenCalls {
  readonly #calls = new Map<string, CallsOfRun>();

  /** @returns to be called when the store has answered */
  begin(runId: string): () => void {
    const calls = this.#calls.get(runId) ?? this.#opened(runId);
    calls.count += 1;
    return calls.close;
  }

  /** One of the open calls on the run writes its end. */
  ending(runId: string, end: Promise<unknown>): void {
    const calls = this.#calls.get(runId);
    if (calls === undefined) return;
    calls.end = end;
    const ended = () => {
      if (calls.end === end) calls.end = undefined;
    };
    end.then(ended, ended);
  }

  /**
   * Resolves when a turn of the run is written. Not with what the engine does after the run's end: it tells the run's
   * parent, which may take its own turn.
   */
  async written(runId: string): Promise<void> {
    for (let calls = this.#calls.get(runId); calls !== undefined; calls = this.#calls.get(runId)) {
      if (calls.end !== undefined) {
        await Promise.allSettled([calls.end]);
        return;
      }
      await quiet(calls);
      // What the engine asks for next, with the answer that it has just got: it reads the run, and then writes it.
      await nextTurn();
    }
  }

  /** The open calls on a run will never be answered. */
  forget(runId: string): void {
    const calls = this.#calls.get(runId);
    if (calls !== undefined) this.#close(runId, calls);
  }

  /** Resolves when the engine asks for nothing more. */
  async idle(): Promise<void> {
    if (this.#calls.size === 0) return;
    for (let quietTurns = 0; quietTurns < QUIET_TURNS; quietTurns += 1) {
      for (let [calls] = this.#calls.values(); calls !== undefined; [calls] = this.#calls.values()) {
        await quiet(calls);
        quietTurns = 0;
      }
      await nextTurn();
    }
  }

  #opened(runId: string): CallsOfRun {
    const calls: CallsOfRun = {
      count: 0,
      end: undefined,
      onQuiet: undefined,
      close: () => {
        calls.count -= 1;
        if (calls.count === 0) this.#close(runId, calls);
      },
    };
    this.#calls.set(runId, calls);
    return calls;
  }

  #close(runId: string, calls: CallsOfRun): void {
    if (this.#calls.get(runId) === calls) this.#calls.delete(runId);
    for (const resolve of calls.onQuiet ?? []) resolve();
  }
}

function quiet(calls: CallsOfRun): Promise<void> {
  return new Promise((resolve) => {
    calls.onQuiet ??= [];
    calls.onQuiet.push(resolve);
  });
}
