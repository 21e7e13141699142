import type { WorkflowEngine } from '@dudousxd/nestjs-durable-core';

/** How long steps took from dispatch to result, by the events of any number of engines in this process. */
export class StepTimes {
  dispatches = 0;
  readonly #latencies: number[] = [];
  readonly #dispatchedAt = new Map<string, number>();

  get steps(): number {
    return this.#dispatchedAt.size;
  }

  /** Milliseconds, the shortest first. */
  sorted(): readonly number[] {
    return this.#latencies.toSorted((a, b) => a - b);
  }

  observe(engine: Pick<WorkflowEngine, 'subscribe'>): void {
    engine.subscribe(({ type, runId, seq, kind, at }) => {
      if (kind !== 'remote') return;
      const step = `${runId}:${seq}`;
      if (type === 'step.started') {
        this.dispatches += 1;
        this.#dispatchedAt.set(step, at.getTime());
      } else if (type === 'step.completed' || type === 'step.failed') {
        this.#latencies.push(at.getTime() - (this.#dispatchedAt.get(step) ?? at.getTime()));
      }
    });
  }
}
