/**
 * Copies of results, by step id. A worker sends one result for each time it was given a task, and once more for each
 * send that SQS accepted without its knowing; the engine is handed one for each delivery. Whatever is beyond that is a
 * fault of ours.
 */
export class ResultBook {
  readonly #sent = new Map<string, number>();
  readonly #excused = new Map<string, number>();
  readonly #delivered = new Map<string, number>();
  readonly #handed = new Map<string, number>();
  readonly #given = new Map<string, number>();

  /** SQS has accepted it. */
  sent(stepId: string | undefined): void {
    add(this.#sent, stepId);
  }

  /** SQS has accepted it, and its sender does not know: it may come once more. */
  copied(stepId: string | undefined): void {
    add(this.#excused, stepId);
  }

  /** The queue itself made a second one of it. */
  sentAgainByQueue(stepId: string | undefined): void {
    add(this.#sent, stepId);
    add(this.#excused, stepId);
  }

  delivered(stepId: string | undefined): void {
    add(this.#delivered, stepId);
  }

  handedToEngine(stepId: string): void {
    add(this.#handed, stepId);
  }

  /** A function was given the step's task. */
  taskGiven(stepId: string): void {
    add(this.#given, stepId);
  }

  /** Results that engines were handed, copies included. */
  get handed(): number {
    return [...this.#handed.values()].reduce((sum, count) => sum + count, 0);
  }

  violations(): string[] {
    const sentTooOften = [...this.#sent].flatMap(([stepId, sent]) => {
      const [given, excused] = [this.#given.get(stepId) ?? 0, this.#excused.get(stepId) ?? 0];
      return sent <= given + excused
        ? []
        : [`${stepId}: its result was sent ${sent} times; its task was given ${given} times, and ${excused} sends went wrong`];
    });
    const handedTooOften = [...this.#handed].flatMap(([stepId, handed]) => {
      const delivered = this.#delivered.get(stepId) ?? 0;
      return handed <= delivered
        ? []
        : [`${stepId}: the engine was handed its result ${handed} times, SQS delivered it ${delivered} times`];
    });
    return [...sentTooOften, ...handedTooOften];
  }
}

function add(counts: Map<string, number>, stepId: string | undefined): void {
  if (stepId !== undefined) counts.set(stepId, (counts.get(stepId) ?? 0) + 1);
}
