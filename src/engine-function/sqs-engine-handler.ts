import type { Context, ScheduledEvent, SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { ConfigurationError } from '../errors.ts';
import { batchHandler, type SqsBatchHandler, type StepMiddleware } from '../lambda/batch-handler.ts';
import { ENGINE_HANDLER } from '../lambda/handler-marks.ts';
import { openSender, prepareSender } from '../lambda/open-sender.ts';
import { defaultLogger, errorFields, safeLogger } from '../logger.ts';
import type { ResultSender } from '../sqs/sqs-api.ts';
import { kindOf } from '../wire/json.ts';
import { endLambdaProcess } from './abandon.ts';
import { type EngineEnvironment, type OpenEngine, openEnvironment } from './engine-environment.ts';
import { type EngineHandlerOptions, readEngineOptions, reserveMs, WHERE } from './engine-options.ts';
import { handleRecords } from './handle-records.ts';
import { isTick, tick } from './tick.ts';

/** Lambda sets it, in every environment. */
const INITIALISED_BY_LAMBDA = 'AWS_LAMBDA_INITIALIZATION_TYPE';

/** A Lambda handler that is an engine. Middlewares plug in with `use`; a tick goes past them. */
export interface SqsEngineHandler extends Omit<SqsBatchHandler, 'use' | 'before' | 'after' | 'onError'> {
  (event: SQSEvent | ScheduledEvent, context: Context): Promise<SQSBatchResponse>;
  use(middlewares: StepMiddleware | StepMiddleware[]): this;
  /**
   * Opens the engine while Lambda initialises the environment, which has a whole processor then, whatever its memory:
   * `await handler.ready()` behind the handler, in an ES module. Does nothing elsewhere, so that the module can be
   * loaded without a database. Never rejects: where it fails, the first invocation opens the engine.
   */
  ready(): Promise<void>;
  /** For tests and commands. */
  readonly [ENGINE_HANDLER]: true;
}

/**
 * A Lambda function as the engine: nothing runs while nobody works.
 *
 * ```ts
 * export const handler = sqsEngineHandler(async (transport) => {
 *   const engine = new WorkflowEngine({ store: await openStore(), transport, remoteRedispatchMs: 15 * 60_000 });
 *   engine.register('checkout', '1', checkout);
 *   return engine;
 * });
 * ```
 *
 * `open` is called once for each environment, and again where it failed. Results, decisions, starts and wake-ups come
 * as records of their queues; a schedule of EventBridge (`rate(1 minute)`) has the engine pass over pending, incomplete
 * and due runs. An invocation ends when nothing that the engine has begun for its records is open any more. What is not
 * finished shortly before its end goes back to its queue.
 *
 * A wait of up to 15 minutes ends to the second, by a delayed message; a longer one by the minute. A step with
 * `timeoutMs` is refused.
 *
 * @throws ConfigurationError at module load, for an option or environment variable that is unknown or of the wrong
 * type.
 */
export function sqsEngineHandler(open: OpenEngine, options: EngineHandlerOptions = {}): SqsEngineHandler {
  if (typeof open !== 'function') throw new ConfigurationError(`${WHERE}: expected a function that makes the engine, got ${kindOf(open)}`);
  const read = readEngineOptions(options, process.env);
  prepareSender(options);
  return engineHandler(
    open,
    read,
    lazySender(() => openSender(options)),
  );
}

/** The handler over any SQS, in any process. */
export function engineHandler(
  open: OpenEngine,
  options: ReturnType<typeof readEngineOptions>,
  api: ResultSender,
  endProcess = endLambdaProcess,
): SqsEngineHandler {
  const logger = safeLogger(options.logger ?? defaultLogger());
  const onFailure = (error: unknown) => {
    try {
      options.onError?.(error);
    } catch (thrown) {
      logger.error('onError threw', errorFields(thrown));
    }
  };
  let environment: Promise<EngineEnvironment> | undefined;
  const opened = () => {
    environment ??= openEnvironment(open, { ...options, api, onFailure, logger }).catch((error: unknown) => {
      environment = undefined;
      logger.error('the engine could not be opened; the next invocation tries again', errorFields(error));
      throw error;
    });
    return environment;
  };
  const reserve = (availableMs: number) => reserveMs(availableMs, options.deadlineReserveMs);
  const { handler: records } = batchHandler<undefined>(
    {
      logger,
      rejectsFailures: false,
      reserveMs: reserve,
      run: async (of, invocation) => handleRecords(of, invocation, { environment: await opened(), api, endProcess, logger }),
    },
    () => undefined,
  );

  async function invoke(event: SQSEvent | ScheduledEvent, context: Context): Promise<SQSBatchResponse> {
    if (!isTick(event)) return records(event, context);
    await tick(context, reserve, { environment: await opened(), endProcess, logger });
    return { batchItemFailures: [] };
  }
  const handler: SqsEngineHandler = Object.assign(invoke, {
    use(middlewares: StepMiddleware | StepMiddleware[]) {
      records.use(middlewares);
      return handler;
    },
    async ready() {
      if (process.env[INITIALISED_BY_LAMBDA] !== undefined) await opened().catch(() => undefined);
    },
    [ENGINE_HANDLER]: true as const,
  });
  return handler;
}

/** SQS, opened at the first call. */
function lazySender(open: () => Promise<ResultSender>): ResultSender {
  let opened: Promise<ResultSender> | undefined;
  const api = () => {
    opened ??= open().catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
  return {
    sendMessages: async (queueUrl, messages) => (await api()).sendMessages(queueUrl, messages),
    changeVisibility: async (queueUrl, entries) => (await api()).changeVisibility(queueUrl, entries),
    findQueueUrl: async (queueName) => (await api()).findQueueUrl(queueName),
    region: async () => (await api()).region(),
  };
}
