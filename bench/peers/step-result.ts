/** A `StepResult` of a run of its own, as a worker sends it. */
export function stepResultBody(index: number): string {
  const runId = `run-${index}`;
  return JSON.stringify({ runId, seq: 0, stepId: `${runId}:0`, status: 'completed', output: { index, note: 'a small output' } });
}
