/** Counts pending work, and tells when none is left. A set of its promises would cost each of them three more. */
export class PendingCount {
  #count = 0;
  #waiting: (() => void)[] = [];

  get size(): number {
    return this.#count;
  }

  begin(): void {
    this.#count += 1;
  }

  end(): void {
    this.#count -= 1;
    if (this.#count === 0) for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Resolves when nothing is pending, work included that begins meanwhile. */
  async idle(): Promise<void> {
    while (this.#count > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}
