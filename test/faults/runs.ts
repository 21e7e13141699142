/** A run of a fault test. */
export interface Run<Kind extends string = string> {
  readonly runId: string;
  /** Its workflow. */
  readonly kind: Kind;
  readonly nonce: number;
}

/** Runs of `steps` steps together, of these kinds. */
export function drawRuns<Kind extends string>(
  name: string,
  steps: number,
  stepsOf: Readonly<Record<Kind, number>>,
  kinds: readonly Kind[],
  random: () => number,
): Run<Kind>[] {
  const runs: Run<Kind>[] = [];
  for (let left = steps; left > 0; ) {
    const kind = kinds[Math.floor(random() * kinds.length)] ?? kinds[0];
    if (kind === undefined) throw new Error('expected a kind of run');
    runs.push({ runId: `${name}-${kind}-${runs.length}`, kind, nonce: Math.floor(random() * 2 ** 32) });
    left -= stepsOf[kind];
  }
  return runs;
}
