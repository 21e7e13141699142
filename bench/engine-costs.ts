import {
  containerDollarsPerMonth,
  IDLE_MAPPING_POLLS_PER_MONTH,
  IDLE_POLLS_PER_MONTH,
  lambdaDollarsPerMillion,
  PRICES,
  sqsDollarsPerMillion,
} from './prices.ts';

/** From here on a function has a whole processor; with less memory it has its share of one. */
const WHOLE_PROCESSOR_MB = 1_769;
const TICKS_PER_MONTH = 30 * 24 * 60;
/** Results, starts, wake-ups. */
const MAPPINGS = 3;

/** What is always on where the engine is no function: one task of Fargate in each of two zones. */
export const CONTAINERS = { count: 2, vcpu: 0.25, gb: 0.5 };
/** Results and starts. */
const POLLED_QUEUES = 2;

/** What something takes of a function with a whole processor. */
export interface FunctionUse {
  readonly billedMs: number;
  /** Of it, what the processor worked. */
  readonly cpuMs: number;
}

/**
 * How long the same takes with less memory: it waits as long, and its work takes longer by the share of the processor.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
 */
export function billedMsAt(memoryMb: number, { billedMs, cpuMs }: FunctionUse): number {
  const work = Math.min(cpuMs, billedMs);
  return billedMs - work + work * Math.max(1, WHOLE_PROCESSOR_MB / memoryMb);
}

export interface EngineCosts {
  /** Dollars a month when nothing runs. */
  readonly idle: number;
  /** Dollars of a million runs. */
  readonly perMillionRuns: number;
}

export interface FunctionRun extends FunctionUse {
  readonly invocations: number;
  readonly sqsRequests: number;
}

/** The engine as a function, without the steps and the database, which cost the same on either side. */
export function functionCosts(memoryMb: number, run: FunctionRun, tick: FunctionUse): EngineCosts {
  const lambda = (use: FunctionUse, invocationsPerStep: number) =>
    lambdaDollarsPerMillion({ millisecondsPerStep: billedMsAt(memoryMb, use), invocationsPerStep, memoryMb });
  return {
    idle: MAPPINGS * IDLE_MAPPING_POLLS_PER_MONTH * PRICES.sqsRequest + (lambda(tick, 1) * TICKS_PER_MONTH) / 1e6,
    perMillionRuns: lambda(run, run.invocations) + sqsDollarsPerMillion(run.sqsRequests),
  };
}

export function containerCosts(sqsRequests: number): EngineCosts {
  const { count, vcpu, gb } = CONTAINERS;
  return {
    idle: count * (containerDollarsPerMonth(vcpu, gb) + POLLED_QUEUES * IDLE_POLLS_PER_MONTH * PRICES.sqsRequest),
    perMillionRuns: sqsDollarsPerMillion(sqsRequests),
  };
}

export function dollarsPerMonth({ idle, perMillionRuns }: EngineCosts, runs: number): number {
  return idle + (runs / 1e6) * perMillionRuns;
}

/** Runs a month from which on the container costs less. Infinite where it never does. */
export function breakEvenRuns(inFunction: EngineCosts, inContainer: EngineCosts): number {
  const perMillion = inFunction.perMillionRuns - inContainer.perMillionRuns;
  return perMillion <= 0 ? Number.POSITIVE_INFINITY : Math.max(0, (inContainer.idle - inFunction.idle) / perMillion) * 1e6;
}
