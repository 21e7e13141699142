import type { Order } from '../../../bench/demo/checkout.ts';

/** What the engine's process is started with, as JSON in `ENGINE_SETTINGS`. */
export interface EngineSettings {
  readonly prefix: string;
  readonly payloadStore?: boolean;
  /** Whose code runs on Lambda. */
  readonly remoteWorkflows?: readonly RemoteWorkflow[];
  /** Whether it receives starts of runs. */
  readonly startRuns?: boolean;
}

/** One run to start. */
export type RunRequest =
  | { readonly workflow: 'checkout'; readonly runId: string; readonly input: Order }
  | { readonly workflow: 'one-step'; readonly runId: string; readonly input: OneStep }
  | { readonly workflow: RemoteWorkflow; readonly runId: string; readonly input: object };

/** Of services/workflows. */
export type RemoteWorkflow = 'orders' | 'basket' | 'patient' | 'doomed';

/** A workflow of a single step. */
export interface OneStep {
  readonly step: string;
  readonly input: unknown;
  readonly retries?: number;
}

/** How a run ended, or that it had not ended in time. */
export interface RunEnd {
  readonly runId: string;
  readonly status: string;
  readonly output?: unknown;
  /** Of the error that the run failed with. */
  readonly code?: string | undefined;
  readonly message?: string | undefined;
}

/**
 * Parent to engine: start these runs and tell of each how it ended; tell how runs end that are started by message; or
 * tell how many tasks of a step wait.
 */
export type EngineCommand =
  | { readonly command: number; readonly kind: 'runs'; readonly runs: readonly RunRequest[]; readonly timeoutMs: number }
  | { readonly command: number; readonly kind: 'ends'; readonly runIds: readonly string[]; readonly timeoutMs: number }
  | { readonly command: number; readonly kind: 'depth'; readonly step: string };

/** Engine to parent. */
export type EngineMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'ended'; readonly command: number; readonly run: RunEnd }
  | { readonly kind: 'depth'; readonly command: number; readonly depth: number };
