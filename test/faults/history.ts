/** Lines about each run, in the order things happened: printed for runs that went wrong. */
export class History {
  readonly #lines = new Map<string, string[]>();
  readonly #startedAt = Date.now();

  note(runId: string, line: string): void {
    const lines = this.#lines.get(runId) ?? [];
    lines.push(`${((Date.now() - this.#startedAt) / 1000).toFixed(3).padStart(8)} s  ${line}`);
    this.#lines.set(runId, lines);
  }

  /** Of the run, and of its children. */
  of(runId: string): readonly string[] {
    const own = this.#lines.get(runId) ?? [];
    const children = [...this.#lines].filter(([id]) => id.startsWith(`${runId}.child.`));
    if (children.length === 0) return own;
    const theirs = children.flatMap(([id, lines]) => lines.map((line) => `${line}  (${id.slice(runId.length + 1)})`));
    return [...own, ...theirs].sort((a, b) => Number.parseFloat(a) - Number.parseFloat(b));
  }
}

/**
 * The run of a step (`<run id>:<position>`) or of a turn (`<run id>:wf:<its own>`). Run ids of these tests hold no
 * colon.
 */
export function runIdOf(id: string): string {
  return id.slice(0, id.indexOf(':'));
}

/** Whether it is the id of a workflow's turn, and not of a step. */
export function isTurnId(id: string): boolean {
  return id.includes(':wf:');
}
