import type { SQSEvent } from 'aws-lambda';
import type { InvocationSettings } from '../../../src/local/lambda-runtime.ts';

/** An event of a queue, or of the schedule. */
export type FunctionEvent = SQSEvent | { readonly source: 'aws.events' };

/**
 * Where in an invocation its process is killed: before its nth call of the store, or when that has landed and nobody
 * knows.
 */
export interface Death {
  readonly atCall: number;
  readonly when: 'before' | 'after';
}

/** Test → environment. */
export interface Invocation {
  readonly event: FunctionEvent;
  readonly settings: InvocationSettings;
  /** An invocation that makes fewer calls survives. */
  readonly death?: Death;
}

/** Environment → test. */
export type InvocationAnswer = { readonly ready: true } | { readonly response: unknown } | { readonly thrown: string };
