/**
 * Holds further steps back while results are not being accepted: a step whose result cannot be sent would only run again.
 *
 * Counts steps from their start to the end of their send. It opens with the next send that succeeds; with no step in work nothing
 * can open it, and the rest of the batch is given back.
 */
export class SendGate {
  #failing = false;
  #inWork = 0;
  #waiting: (() => void)[] = [];

  /** Whether a further step may start, as far as is known without waiting. */
  get isOpen(): boolean {
    return !this.#failing;
  }

  /** Resolves to whether a further step may start, once that is known. */
  async open(): Promise<boolean> {
    while (this.#failing && this.#inWork > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return !this.#failing;
  }

  begin(): void {
    this.#inWork += 1;
  }

  /** A result was accepted. */
  succeeded(): void {
    this.#failing = false;
    this.#end();
  }

  /** A result was not accepted, for a cause that every result shares. */
  failed(): void {
    this.#failing = true;
    this.#end();
  }

  /** A result was refused for what it is; that says nothing of the others. */
  refused(): void {
    this.#end();
  }

  #end(): void {
    this.#inWork -= 1;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
