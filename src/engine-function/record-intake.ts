import { DurableSqsError } from '../errors.ts';
import { ResultIntake } from '../transport/results/result-intake.ts';

/** Gives the records of a results queue to the engine, and knows whether it has rejected any: its store may be down. */
export class RecordIntake extends ResultIntake {
  /** Of records of any queue, so far; our own errors say nothing of the store. */
  rejections = 0;

  protected override onRejected(error: unknown): void {
    if (!(error instanceof DurableSqsError)) this.rejections += 1;
  }
}
