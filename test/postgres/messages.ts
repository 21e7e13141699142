import type { DatabaseOptions } from './database/open-store.d.mts';
import type { Request, Run } from './workload.ts';

/** What both kinds of process are started with, as JSON in their first argument. */
export interface ProcessOptions {
  readonly name: string;
  readonly sqsPort: number;
  readonly database: DatabaseOptions;
  readonly fifoResults: boolean;
  /** Where workers note what they run, a line for each beginning and end of a step. */
  readonly executions: string;
  /** Where engines note what happens, for the history of a run that went wrong. */
  readonly trace: string;
  /**
   * Who runs the engine's passes: each engine as Nest does, or `attach(engine, { poll: true })`. Where nobody does,
   * nobody receives either.
   */
  readonly polls: 'as Nest' | 'attached' | 'nobody';
  readonly leaseMs: number | undefined;
}

/** Test → engine. */
export type Order = { readonly start: Run } | Request;

/** Engine → test; an engine that was killed answers nothing, and its orders go to another. */
export type Answer = { readonly ready: true } | { readonly done: string };

export function idOf(order: Order): string {
  if ('start' in order) return `start ${order.start.runId}`;
  return 'signal' in order ? `signal ${order.signal}` : `cancel ${order.cancel}`;
}
