/**
 * The ids that were added last, `least` of them at least and twice as many at most: for what may be forgotten at a
 * small cost.
 *
 * Two generations, since finding the oldest of one set is slow: V8 keeps what was deleted at its front until it grows.
 */
export class RecentIds {
  readonly #least: number;
  #newer = new Set<string>();
  #older = new Set<string>();

  constructor(least: number) {
    this.#least = least;
  }

  add(id: string): void {
    if (this.#newer.size >= this.#least) {
      this.#older = this.#newer;
      this.#newer = new Set();
    }
    this.#newer.add(id);
  }

  has(id: string): boolean {
    return this.#newer.has(id) || this.#older.has(id);
  }

  /** Whether it was there. */
  delete(id: string): boolean {
    const inNewer = this.#newer.delete(id);
    return this.#older.delete(id) || inNewer;
  }
}
