import { encodeJson } from './json.ts';
import { optional, parseShape, type Rules, required } from './shape.ts';

/**
 * Engine → worker: run one attempt of one step. The documented payload of every nestjs-durable transport.
 * @see {@link https://www.npmjs.com/package/@dudousxd/nestjs-durable-core} `RemoteTask`
 */
export interface RemoteTask {
  runId: string;
  /** Position of the step in the run; negative for a compensation. */
  seq: number;
  /** Name of the handler, e.g. `payments.charge-card`. */
  name: string;
  /** Unique per run and position, the same for every attempt: an idempotency key. */
  stepId: string;
  /** Routing token: the sanitized name, with `@<partition>` where there is one. */
  group: string;
  input: unknown;
  /** W3C trace context of the caller. */
  traceparent?: string | undefined;
  /** Tenant, user, correlation ids; passed through unread. */
  context?: Record<string, unknown> | undefined;
  /** Id of the engine's transport in its pool. */
  transport?: string | undefined;
  priority?: number | undefined;
  /** The engine's counter, from 1. Not SQS's receive count. */
  attempt: number;
}

const RULES: Rules<RemoteTask> = {
  runId: required.text,
  seq: required.integer,
  name: required.text,
  stepId: required.text,
  group: required.text,
  input: required.anything,
  traceparent: optional.text,
  context: optional.object,
  transport: optional.text,
  priority: optional.number,
  attempt: required.positiveInteger,
};

/**
 * Reads a task from a message body. Fields it does not know are kept.
 * @throws InvalidMessageError naming the field, what was expected and the kind that was found.
 */
export function decodeRemoteTask(body: string): RemoteTask {
  return parseShape('RemoteTask', body, RULES);
}

/** The message body of a task. */
export function encodeRemoteTask(task: RemoteTask): string {
  return encodeJson(task);
}
