/** Runs work of one key one after the other, in the order in which it was asked for; work of different keys at once. */
export class Lanes {
  /** Key → the end of the last work that was asked for. */
  readonly #tails = new Map<string, Promise<void>>();

  /** Settles as the work does. Work that fails does not stop what comes behind it. */
  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const earlier = this.#tails.get(key);
    const result = earlier === undefined ? work() : earlier.then(work);
    const end = () => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    };
    const tail = result.then(end, end);
    this.#tails.set(key, tail);
    return result;
  }

  /** Keys with work that has not ended. */
  get size(): number {
    return this.#tails.size;
  }

  /** Resolves when no work is left, that which is asked for meanwhile included. */
  async idle(): Promise<void> {
    while (this.#tails.size > 0) await Promise.all(this.#tails.values());
  }
}
