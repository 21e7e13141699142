import { readFileSync } from 'node:fs';

/** One time that a worker ran a step. */
export interface Execution {
  readonly worker: string;
  /** Epoch milliseconds. */
  readonly beganAt: number;
  /** Absent where the worker was killed in it. */
  endedAt?: number;
}

/** What the workers have run, by step id and attempt (`<step id> <attempt>`), in order. */
export function readExecutions(file: string): Map<string, Execution[]> {
  const executions = new Map<string, Execution[]>();
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [at, worker, what, stepId, attempt] = line.split(' ');
    if (worker === undefined || attempt === undefined) continue;
    const key = `${stepId} ${attempt}`;
    const known = executions.get(key) ?? [];
    executions.set(key, known);
    if (what === 'begins') {
      known.push({ worker, beganAt: Number(at) });
    } else {
      const begun = known.find((execution) => execution.worker === worker && execution.endedAt === undefined);
      if (begun !== undefined) begun.endedAt = Number(at);
    }
  }
  return executions;
}
