import { signalOf } from './turn-functions.ts';

interface TakenSignal {
  readonly payload: unknown;
  readonly by: string;
}

/**
 * Buffered signals that an engine has taken from the store and not yet saved: the engine does one after the other, so
 * they are lost with its process.
 */
export class TakenSignals {
  /** By token. */
  readonly #taken = new Map<string, TakenSignal>();

  taken(token: string, payload: unknown, by: string): void {
    this.#taken.set(token, { payload, by });
  }

  /** @param checkpoint name of a checkpoint that is saved */
  saved(checkpoint: string): void {
    this.#taken.delete(checkpoint.replace(/^signal:/, ''));
  }

  /** The signal for the run that its engine died with. */
  lostOf(runId: string, isDead: (caller: string) => boolean): { readonly token: string; readonly payload: unknown } | undefined {
    const token = signalOf(runId);
    const taken = this.#taken.get(token);
    return taken !== undefined && isDead(taken.by) ? { token, payload: taken.payload } : undefined;
  }
}
