import { encodeJson } from './json.ts';
import { anything, integer, optionalNumber, optionalObject, optionalText, parseShape, positiveInteger, type Rules, text } from './shape.ts';

/**
 * Engine → worker: one attempt of one step. The payload that nestjs-durable documents for every transport.
 * @see {@link https://www.npmjs.com/package/@dudousxd/nestjs-durable-core} `RemoteTask`
 */
export interface RemoteTask {
  runId: string;
  /** Position of the step in the run; negative for a compensation. */
  seq: number;
  /** Name of the handler, e.g. `payments.charge-card`. */
  name: string;
  /** One per run and position. All attempts share it, so it serves as an idempotency key. */
  stepId: string;
  /** Routing token: the sanitized name, with `@<partition>` where there is one. */
  group: string;
  input: unknown;
  /** W3C trace context of the caller. */
  traceparent?: string | undefined;
  /** Tenant, user, correlation ids; passed to the step as they are. */
  context?: Record<string, unknown> | undefined;
  /** Id of the engine's transport in its pool. */
  transport?: string | undefined;
  priority?: number | undefined;
  /** The engine's counter, from 1. Not SQS's receive count. */
  attempt: number;
}

const RULES: Rules<RemoteTask> = {
  runId: text,
  seq: integer,
  name: text,
  stepId: text,
  group: text,
  input: anything,
  traceparent: optionalText,
  context: optionalObject,
  transport: optionalText,
  priority: optionalNumber,
  attempt: positiveInteger,
};

/**
 * Reads a task from a message body. Keeps fields that it does not know.
 * @throws InvalidMessageError naming the field, what was expected and the kind that was found.
 */
export function decodeRemoteTask(body: string): RemoteTask {
  return parseShape('RemoteTask', body, RULES);
}

/** The message body of a task. */
export function encodeRemoteTask(task: RemoteTask): string {
  return encodeJson(task);
}
