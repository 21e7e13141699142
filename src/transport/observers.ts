import type { LogFields } from '../logger.ts';
import { errorFields, type Logger } from '../logger.ts';

/** A task that a transport sends: what tells it from others, never its input. */
export interface SentTask {
  /** An attempt of a step, or a turn of a workflow whose code runs on a worker. */
  readonly kind: 'step' | 'turn';
  /** Of the step, or of the workflow. */
  readonly name: string;
  readonly runId: string;
  /** Of a turn: its `taskId`. */
  readonly stepId: string;
  /** The engine's counter, from 1. */
  readonly attempt: number;
  /** W3C trace context, where the engine has given one. */
  readonly traceparent?: string | undefined;
}

/** A message of the results queue: what tells it from others, never its output. */
export interface ReceivedAnswer {
  /** The result of a step, or the decision of a turn. */
  readonly kind: 'result' | 'decision';
  readonly status: string;
  readonly runId: string;
  /** Of a decision: the `taskId` of its turn. */
  readonly stepId: string;
  readonly messageId: string;
  /** How often SQS has delivered it, from 1. */
  readonly receiveCount: number;
  readonly queueUrl: string;
}

/**
 * Wraps what a transport sends and receives, for spans. `openTelemetry()` of `durable-sqs-lambda/opentelemetry` makes
 * one.
 */
export interface TransportTracing {
  /**
   * Around the send of a task.
   * @param send sends it with the trace context that the worker is to continue; resolves with the URL of the queue
   */
  send(task: SentTask, send: (traceparent: string | undefined) => Promise<string>): Promise<unknown>;
  /** Around the time that the engine has an answer, the turn included that the answer begins. */
  receive(answer: ReceivedAnswer, give: () => Promise<void>): Promise<unknown>;
}

/**
 * Functions that are told what happens. Each may be left out. They are called at once, and what they throw is logged.
 */
export interface TransportEvents {
  /** SQS has accepted a task. */
  taskSent?(event: SentTask & { readonly queueUrl: string }): void;
  /** An answer has been received and read; the engine does not have it yet. */
  resultReceived?(event: ReceivedAnswer): void;
  /** The engine has accepted an answer; its message is being deleted. */
  resultAccepted?(event: ReceivedAnswer): void;
  /**
   * An answer was not accepted, and its message is made visible again. `delaySeconds` is undefined where its timeout
   * has to end.
   */
  redelivered?(event: ReceivedAnswer & { readonly delaySeconds: number | undefined }): void;
}

/** Calls one of the functions that a user gave, and survives it. */
export function tell<Event>(listener: ((event: Event) => unknown) | undefined, event: Event, logger: Logger): void {
  if (listener === undefined) return;
  const failed = (thrown: unknown) => logger.error('an event listener threw', errorFields(thrown) satisfies LogFields);
  try {
    // It may be async, whatever its type says.
    Promise.resolve(listener(event)).catch(failed);
  } catch (thrown) {
    failed(thrown);
  }
}
