import { runIdOf } from './history.ts';

/** What a FIFO tasks queue promises of the tasks of a run: one is at work at a time, and none overtakes another. */
export class GroupOrder {
  /** By run id: the step at work. */
  readonly #atWork = new Map<string, string>();
  /** By run id: the furthest place that has been at work. */
  readonly #reached = new Map<string, bigint>();
  readonly violations: string[] = [];
  /** Tasks that were looked at. */
  begun = 0;

  /** @param place of the task on its queue: SQS's `SequenceNumber` */
  begins(stepId: string, place: bigint): void {
    const runId = runIdOf(stepId);
    const other = this.#atWork.get(runId);
    if (other !== undefined) this.violations.push(`${stepId} was begun while ${other} of the same run was at work, on a FIFO tasks queue`);
    const reached = this.#reached.get(runId) ?? 0n;
    if (place < reached) this.violations.push(`${stepId} was begun after a task of its run that was sent later, on a FIFO tasks queue`);
    if (place > reached) this.#reached.set(runId, place);
    this.#atWork.set(runId, stepId);
    this.begun += 1;
  }

  ends(stepId: string): void {
    if (this.#atWork.get(runIdOf(stepId)) === stepId) this.#atWork.delete(runIdOf(stepId));
  }
}
