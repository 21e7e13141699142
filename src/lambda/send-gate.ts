/**
 * Holds further steps back while results are not being accepted: a step whose result cannot be sent would only run
 * again.
 *
 * Counts steps from their start to the end of their send. It opens with the next send that succeeds; with no step at
 * work nothing can open it, and the rest of the batch goes back to its queue.
 */
export class SendGate {
  #failing = false;
  #atWork = 0;
  #waiting: (() => void)[] = [];

  /** Whether a further step may start, as far as is known without waiting. */
  get isOpen(): boolean {
    return !this.#failing;
  }

  /** Resolves to whether a further step may start, once that is known. */
  async opens(): Promise<boolean> {
    while (this.#failing && this.#atWork > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return !this.#failing;
  }

  /** A step starts. */
  begin(): void {
    this.#atWork += 1;
  }

  /** Its result was accepted. */
  succeeded(): void {
    this.#failing = false;
    this.ended();
  }

  /** Its result was not accepted, for a cause that every result shares. */
  failed(): void {
    this.#failing = true;
    this.ended();
  }

  /** It has no result, or one that was refused for what it is: that says nothing of the others. */
  ended(): void {
    this.#atWork -= 1;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
