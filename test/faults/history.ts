/** Lines about each run, in the order things happened: printed for runs that went wrong. */
export class History {
  readonly #lines = new Map<string, string[]>();
  readonly #startedAt = Date.now();

  note(runId: string, line: string): void {
    const lines = this.#lines.get(runId) ?? [];
    lines.push(`${((Date.now() - this.#startedAt) / 1000).toFixed(3).padStart(8)} s  ${line}`);
    this.#lines.set(runId, lines);
  }

  of(runId: string): readonly string[] {
    return this.#lines.get(runId) ?? [];
  }
}

/** The run that a step id (`<run id>:<position>`) belongs to. */
export function runIdOf(stepId: string): string {
  return stepId.slice(0, stepId.lastIndexOf(':'));
}
