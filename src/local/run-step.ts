import { randomUUID } from 'node:crypto';
import { sanitizeQueueToken } from '@dudousxd/nestjs-durable-core';
import type { SQSRecord } from 'aws-lambda';
import { ConfigurationError } from '../errors.ts';
import { type SqsStepHandler, STEP_HANDLER, type StepHandlerInternals } from '../lambda/sqs-step-handler.ts';
import { NO_RETRIES, type WorkerQueues } from '../lambda/worker-queues.ts';
import { kindOf } from '../wire/json.ts';
import { decodeRemoteTask, encodeRemoteTask, type RemoteTask } from '../wire/remote-task.ts';
import { decodeStepResult, type StepResult } from '../wire/step-result.ts';
import { lambdaContext } from './lambda-context.ts';

/** What {@link runStep} can be told beside the input. */
export interface RunStepOptions {
  /** Which step, where the handler serves several. */
  readonly name?: string;
  /** Fields of the task to set: `attempt`, `traceparent`, `context`, `stepId`… */
  readonly task?: Partial<RemoteTask>;
  /** SQS's count of deliveries. @default 1 */
  readonly receiveCount?: number;
  /** Time the invocation has. @default 30_000 */
  readonly timeoutMs?: number;
}

/**
 * Runs one step of a handler in a test: no queue, no network. The task passes through everything that it passes through on Lambda
 * (JSON, middlewares, schemas, `around`), and what comes back is the result as the engine would read it.
 *
 * ```ts
 * const result = await runStep(handler, { orderId: 'o-1', amountCents: 1200 });
 * expect(result).toMatchObject({ status: 'completed', output: { chargeId: expect.any(String) } });
 * ```
 * @throws ConfigurationError where the handler is not ours, serves several steps and none is named, or the input cannot become JSON; and
 * what a middleware throws when it keeps the step from running.
 */
export async function runStep(handler: SqsStepHandler, input: unknown, options: RunStepOptions = {}): Promise<StepResult> {
  const internals: StepHandlerInternals | undefined = handler?.[STEP_HANDLER];
  if (internals === undefined) {
    throw new ConfigurationError(`runStep: expected the handler that sqsStepHandler gave, got ${kindOf(handler)}`);
  }
  const { stepNames, marker, invoke } = internals;
  const name = options.name ?? onlyName(stepNames);
  const runId = options.task?.runId ?? `test-${randomUUID()}`;
  const group = sanitizeQueueToken(name);
  const body = bodyOf({ runId, seq: 0, name, stepId: `${runId}:0`, group, input, attempt: 1, ...options.task });
  const context = lambdaContext({ functionName: name, timeoutMs: options.timeoutMs ?? 30_000 });
  const results: string[] = [];
  const queues: WorkerQueues = {
    url: async () => 'memory',
    retries: () => NO_RETRIES,
    send: async (_queueUrl, message) => void results.push(message.body),
  };
  await invoke({ Records: [recordOf(body, options.receiveCount ?? 1, marker)] }, context, queues);

  const [result] = results;
  if (result === undefined)
    throw new ConfigurationError(
      `runStep: step "${name}" sent no result: a middleware kept it from running, or its time was over (onDeadline: 'redeliver')`,
    );
  return decodeStepResult(result);
}

/** The message body; what is wrong with the task is said here, where the test's own line is in the stack. */
function bodyOf(task: RemoteTask): string {
  let body: string;
  try {
    body = encodeRemoteTask(task);
  } catch (cause) {
    throw new ConfigurationError('runStep: the input cannot become JSON, so no engine could send it', { cause });
  }
  decodeRemoteTask(body);
  return body;
}

function onlyName(names: readonly string[]): string {
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
