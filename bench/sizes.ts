/** How much of everything one run measures. */
export interface Sizes {
  readonly rounds: number;
  readonly warmUpRuns: number;
  readonly runsAtOnce: number;
  readonly runsOneByOne: number;
  readonly slowSteps: number;
  readonly slowStepMs: number;
  readonly polledResults: number;
  readonly records: { readonly batches: readonly number[]; readonly rounds: number; readonly recordsPerRound: number };
  readonly coldStarts: number;
  readonly growth: { readonly batches: readonly number[]; readonly backlogs: readonly number[]; readonly rounds: number };
  readonly bigBatch: number;
  readonly waitingSteps: number;
  /** Runs of a workflow of two steps, one after another. */
  readonly turnRuns: number;
  readonly postgres: { readonly warmUpRuns: number; readonly runsAtOnce: number; readonly runsOneByOne: number };
  readonly engineFunction: {
    readonly warmUpRuns: number;
    readonly runsOneByOne: number;
    readonly bursts: number;
    readonly runsPerBurst: number;
    readonly ticks: number;
  };
}

export const FULL: Sizes = {
  rounds: 5,
  warmUpRuns: 300,
  runsAtOnce: 5_000,
  runsOneByOne: 1_000,
  slowSteps: 1_000,
  slowStepMs: 50,
  polledResults: 20_000,
  records: { batches: [1, 10, 100, 1_000], rounds: 40, recordsPerRound: 4_000 },
  coldStarts: 20,
  growth: { batches: [10, 100, 1_000, 10_000], backlogs: [10, 100, 1_000, 10_000, 100_000], rounds: 5 },
  bigBatch: 10_000,
  waitingSteps: 20_000,
  turnRuns: 500,
  postgres: { warmUpRuns: 50, runsAtOnce: 400, runsOneByOne: 200 },
  engineFunction: { warmUpRuns: 20, runsOneByOne: 60, bursts: 3, runsPerBurst: 20, ticks: 20 },
};

/** About a minute: enough to see that a ratio is not badly off. */
export const QUICK: Sizes = {
  rounds: 1,
  warmUpRuns: 50,
  runsAtOnce: 600,
  runsOneByOne: 150,
  slowSteps: 100,
  slowStepMs: 50,
  polledResults: 3_000,
  records: { batches: [1, 10, 100, 1_000], rounds: 12, recordsPerRound: 2_000 },
  coldStarts: 3,
  growth: { batches: [10, 1_000, 10_000], backlogs: [10, 1_000, 10_000], rounds: 2 },
  bigBatch: 10_000,
  waitingSteps: 3_000,
  turnRuns: 60,
  postgres: { warmUpRuns: 20, runsAtOnce: 120, runsOneByOne: 40 },
  engineFunction: { warmUpRuns: 5, runsOneByOne: 15, bursts: 1, runsPerBurst: 10, ticks: 5 },
};
