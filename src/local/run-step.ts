import { randomUUID } from 'node:crypto';
import { sanitizeQueueToken } from '@dudousxd/nestjs-durable-core';
import type { Context, SQSEvent, SQSRecord } from 'aws-lambda';
import { ConfigurationError } from '../errors.ts';
import { STEP_HANDLER, TEST_QUEUES } from '../lambda/handler-marks.ts';
import type { TaskHandlerInternals } from '../lambda/task-handler.ts';
import { NO_RETRIES, type WorkerQueues } from '../lambda/worker-queues.ts';
import { lostContents } from '../step/lost-contents.ts';
import { kindOf } from '../wire/json.ts';
import { decodeRemoteTask, encodeRemoteTask, type RemoteTask } from '../wire/remote-task.ts';
import { decodeStepResult, type StepResult } from '../wire/step-result.ts';
import { lambdaContext } from './lambda-context.ts';

/** What {@link runStep} can be told beside the input. */
export interface RunStepOptions {
  /** Which step, where the handler serves several, or is wrapped. */
  readonly name?: string;
  /** Fields of the task to set: `attempt`, `traceparent`, `context`, `stepId`… */
  readonly task?: Partial<RemoteTask>;
  /** SQS's count of deliveries. @default 1 */
  readonly receiveCount?: number;
  /** Time the invocation has. @default 30_000 */
  readonly timeoutMs?: number;
  /** The handler's `marker`. @default known, unless the handler is wrapped */
  readonly marker?: string;
}

/** A Lambda handler, as its module exports it. */
export type StepHandlerLike = (event: SQSEvent, context: Context) => unknown;

/**
 * Runs one step of a handler in a test: no queue, no network. The task passes through everything that it passes through
 * on Lambda (JSON, middlewares, schemas, `around`), and what comes back is the result as the engine would read it.
 *
 * ```ts
 * const result = await runStep(handler, { orderId: 'o-1', amountCents: 1200 });
 * expect(result).toMatchObject({ status: 'completed', output: { chargeId: expect.any(String) } });
 * ```
 * A handler that is wrapped (by a monitoring library, say) runs as it is, wrapper included; then `name` says which
 * step. The wrapper must hand on the context that it gets.
 * @throws ConfigurationError where the handler is not ours, serves several steps and none is named, or the input cannot
 * become JSON; and what a middleware throws when it keeps the step from running.
 */
export async function runStep(handler: StepHandlerLike, input: unknown, options: RunStepOptions = {}): Promise<StepResult> {
  if (typeof handler !== 'function') {
    throw new ConfigurationError(`runStep: expected the handler that sqsStepHandler gave, got ${kindOf(handler)}`);
  }
  const internals = internalsOf(handler);
  const name = options.name ?? onlyName(internals?.names);
  const runId = options.task?.runId ?? `test-${randomUUID()}`;
  const group = sanitizeQueueToken(name);
  const body = bodyOf({ runId, seq: 0, name, stepId: `${runId}:0`, group, input, attempt: 1, ...options.task });
  const results: string[] = [];
  const queues: WorkerQueues = {
    url: async () => 'memory',
    retries: () => NO_RETRIES,
    send: async (_queueUrl, message) => void results.push(message.body),
  };
  const context = { ...lambdaContext({ functionName: name, timeoutMs: options.timeoutMs ?? 30_000 }), [TEST_QUEUES]: queues };
  await handler({ Records: [recordOf(body, options.receiveCount ?? 1, options.marker ?? internals?.marker)] }, context);

  const [result] = results;
  if (result === undefined) {
    const wrapped = internals === undefined ? ', or it wraps no handler that sqsStepHandler gave' : '';
    throw new ConfigurationError(
      `runStep: step "${name}" sent no result: a middleware kept it from running, or its time was over (onDeadline: 'redeliver')${wrapped}`,
    );
  }
  return decodeStepResult(result);
}

/** Undefined where the handler is wrapped. */
function internalsOf(handler: StepHandlerLike & { readonly [STEP_HANDLER]?: TaskHandlerInternals }): TaskHandlerInternals | undefined {
  return handler[STEP_HANDLER];
}

/** The message body; what is wrong with the task is said here, where the test's own line is in the stack. */
function bodyOf(task: RemoteTask): string {
  let body: string;
  try {
    body = encodeRemoteTask(task);
  } catch (cause) {
    throw new ConfigurationError('runStep: the input cannot become JSON, so no engine could send it', { cause });
  }
  const lost = lostContents(task.input, 'input');
  if (lost !== undefined) throw new ConfigurationError(`runStep: ${lost}, whose JSON is {}: that is all a step gets of it`);
  decodeRemoteTask(body);
  return body;
}

function onlyName(names: readonly string[] | undefined): string {
  if (names === undefined) {
    throw new ConfigurationError(
      'runStep: expected the handler that sqsStepHandler gave, got another function; where it wraps that handler, say by options.name which step to run',
    );
  }
  const [name, ...others] = names;
  if (name !== undefined && others.length === 0) return name;
  throw new ConfigurationError(`runStep: expected options.name to be one of ${names.join(', ')}: this handler serves several steps`);
}

function recordOf(body: string, receiveCount: number, marker: string | undefined): SQSRecord {
  const now = String(Date.now());
  return {
    messageId: randomUUID(),
    receiptHandle: 'none',
    body,
    attributes: {
      ApproximateReceiveCount: String(receiveCount),
      SentTimestamp: now,
      SenderId: 'local',
      ApproximateFirstReceiveTimestamp: now,
    },
    messageAttributes: marker === undefined ? {} : { [marker]: { dataType: 'String', stringValue: '1' } },
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: 'arn:aws:sqs:us-east-1:000000000000:local',
    awsRegion: 'us-east-1',
  };
}
