/** Weight of the newest run: a step that became slow is known to be after a few runs, one odd run changes little. */
const NEWEST = 1 / 8;

/** How long a step has been taking in this process, as a moving average. */
export class StepDuration {
  #averageMs: number | undefined;

  add(ms: number): void {
    this.#averageMs = this.#averageMs === undefined ? ms : this.#averageMs + (ms - this.#averageMs) * NEWEST;
  }

  /** Undefined before the first run. */
  get typicalMs(): number | undefined {
    return this.#averageMs;
  }
}

/** How long each of some steps has been taking. */
export class StepDurations {
  readonly #bySteps: ReadonlyMap<string, StepDuration>;

  constructor(steps: Iterable<string>) {
    this.#bySteps = new Map(Array.from(steps, (step) => [step, new StepDuration()]));
  }

  /** Undefined for another step. */
  of(step: string): StepDuration | undefined {
    return this.#bySteps.get(step);
  }
}
