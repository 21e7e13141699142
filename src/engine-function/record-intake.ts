import { ResultIntake } from '../transport/results/result-intake.ts';

/** Gives the records of a results queue to the engine, and knows whether it has rejected any for no reason of ours. */
export class RecordIntake extends ResultIntake {
  /** Rejections so far. */
  rejections = 0;

  protected override onRejected(): void {
    this.rejections += 1;
  }
}
