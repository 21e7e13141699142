/** Weight of the newest run: a step that became slow is known to be after a few runs, one odd run changes little. */
const NEWEST = 1 / 8;

/** How long each step has been taking in this process, as a moving average. */
export class StepDurations {
  readonly #averageMs = new Map<string, number>();

  record(step: string, ms: number): void {
    const average = this.#averageMs.get(step);
    this.#averageMs.set(step, average === undefined ? ms : average + (ms - average) * NEWEST);
  }

  /** Undefined before the first run. */
  typicalMs(step: string): number | undefined {
    return this.#averageMs.get(step);
  }
}
