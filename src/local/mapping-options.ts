import type { SQSClient, SQSClientConfig } from '@aws-sdk/client-sqs';
import type { SQSRecord } from 'aws-lambda';
import { ConfigurationError } from '../errors.ts';
import { defaultLogger, type Logger, safeLogger } from '../logger.ts';
import {
  aBoolean,
  aClientConfig,
  aFunction,
  aLogger,
  anInteger,
  anObject,
  aString,
  aUrl,
  checkRequiredOptions,
  mismatch,
  type OptionRule,
} from '../options.ts';
import { isFifoQueue } from '../topology/fifo-queues.ts';
import { MAX_BATCH_ENTRIES } from '../wire/limits.ts';
import { inProcessRuntime, type LambdaRuntime, type SqsLambdaHandler } from './lambda-runtime.ts';

/** How one invocation ended. */
export interface InvocationReport {
  readonly requestId: string;
  /** Records of the event. */
  readonly records: number;
  /** Messages that are deleted from the queue. */
  readonly deleted: number;
  /** Messages that stay, and are redelivered after the queue's visibility timeout. */
  readonly failed: number;
  readonly durationMs: number;
  /** `failure`: all messages stay, because the handler threw, or its answer was invalid or named them all. */
  readonly outcome: 'success' | 'partial' | 'failure' | 'timeout';
  /** What was wrong, in ids and kinds; never contents. */
  readonly reason?: string;
  /** What the handler threw. Never logged here: its message may quote a payload. */
  readonly error?: unknown;
}

export interface EventSourceMappingOptions {
  /**
   * SQS client, which stays the caller's to destroy. Give this or `clientConfig`; with neither, the SDK's defaults
   * reach real AWS.
   */
  readonly client?: SQSClient | undefined;
  /** Configuration of the SQS clients to create. */
  readonly clientConfig?: SQSClientConfig | undefined;
  /** The queue to read; ends in `.fifo` for a FIFO queue. It may be created later. */
  readonly queueUrl: string;
  /** The function to invoke. */
  readonly handler: SqsLambdaHandler;
  /** The function name in the handler's context and in log lines. */
  readonly functionName: string;
  /**
   * The function's timeout: 1 to 900,000 milliseconds. AWS refuses a queue whose visibility timeout is shorter; here a
   * warning is logged. Code in this process cannot be killed: after a timeout the handler may go on in the background.
   * @default 3000, as on Lambda
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Most records of one event: 1 to 10; with a `batchWindowSeconds` (standard queues only) up to 10,000.
   * @default 10
   */
  readonly batchSize?: number | undefined;
  /**
   * How long to gather a batch after its first message, 0 to 300, to the second above; always 0 on FIFO queues.
   * @default 0: one receive makes a batch
   */
  readonly batchWindowSeconds?: number | undefined;
  /**
   * Invocations at the same time, from 1. (On AWS a mapping's own limit starts at 2.)
   * @default 5, which is where Lambda starts
   */
  readonly maximumConcurrency?: number | undefined;
  /**
   * Whether the handler's answer says which records failed. When false, every answer is a success.
   * @default true
   */
  readonly reportBatchItemFailures?: boolean | undefined;
  /**
   * When false, `start()` does nothing.
   * @default true
   */
  readonly enabled?: boolean | undefined;
  /**
   * Length of a long poll, 1 to 20 seconds, and so how long `stop()` may wait for one. Polls are never aborted: SQS may
   * just have answered one with messages (the embedded server always does).
   * @default 1
   */
  readonly waitTimeSeconds?: number | undefined;
  /** Called after each invocation. */
  readonly onInvocation?: ((report: InvocationReport) => void) | undefined;
  /** @default the console, `info` and up */
  readonly logger?: Logger | undefined;
}

/** The options with all defaults filled in. */
export interface MappingSettings {
  readonly queueUrl: string;
  readonly fifo: boolean;
  readonly runtime: LambdaRuntime;
  readonly functionName: string;
  readonly timeoutMs: number;
  readonly batchSize: number;
  readonly batchWindowSeconds: number;
  readonly maximumConcurrency: number;
  readonly reportBatchItemFailures: boolean;
  readonly enabled: boolean;
  readonly waitTimeSeconds: number;
  readonly onInvocation: (report: InvocationReport, batch: ReportedBatch) => void;
  readonly logger: Logger;
}

/** The batch of an invocation that has ended. */
export interface ReportedBatch {
  /** As the handler got them; a handler in this process may have changed them. */
  readonly records: readonly SQSRecord[];
  /** Ids of the messages that stay on the queue. */
  readonly failedIds: ReadonlySet<string>;
}

const OWNER = 'LocalEventSourceMapping';

const RULES: Readonly<Record<keyof EventSourceMappingOptions, OptionRule>> = {
  client: anObject,
  clientConfig: aClientConfig,
  queueUrl: aUrl,
  handler: aFunction,
  functionName: aString,
  timeoutMs: anInteger(1, 900_000),
  batchSize: anInteger(1, 10_000),
  batchWindowSeconds: anInteger(0, 300),
  maximumConcurrency: anInteger(1),
  reportBatchItemFailures: aBoolean,
  enabled: aBoolean,
  waitTimeSeconds: anInteger(1, 20),
  onInvocation: aFunction,
  logger: aLogger,
};

/** Checks the options by AWS's own rules, and fills in the defaults. @throws ConfigurationError */
export function mappingSettings(options: EventSourceMappingOptions): MappingSettings {
  checkRequiredOptions(OWNER, options, RULES, ['queueUrl', 'handler', 'functionName']);
  const { handler, client, clientConfig } = options;
  // nodejs24.x refuses such a handler at init (Runtime.CallbackHandlerDeprecated).
  if (handler.length >= 3)
    throw new ConfigurationError(`${OWNER}: expected handler to take (event, context), got ${handler.length} parameters`);
  if (client !== undefined && clientConfig !== undefined)
    throw new ConfigurationError(`${OWNER}: expected client or clientConfig, got both`);
  return settingsFor(options, inProcessRuntime(handler));
}

/** The same for a runtime of one's own. @throws ConfigurationError where AWS would refuse the batch settings */
export function settingsFor(
  options: Omit<EventSourceMappingOptions, 'handler' | 'onInvocation'> & {
    readonly onInvocation?: MappingSettings['onInvocation'] | undefined;
  },
  runtime: LambdaRuntime,
): MappingSettings {
  const { queueUrl, functionName } = options;
  const settings: MappingSettings = {
    queueUrl,
    fifo: isFifoQueue(queueUrl),
    runtime,
    functionName,
    timeoutMs: options.timeoutMs ?? 3_000,
    batchSize: options.batchSize ?? 10,
    batchWindowSeconds: options.batchWindowSeconds ?? 0,
    maximumConcurrency: options.maximumConcurrency ?? 5,
    reportBatchItemFailures: options.reportBatchItemFailures ?? true,
    enabled: options.enabled ?? true,
    waitTimeSeconds: options.waitTimeSeconds ?? 1,
    onInvocation: options.onInvocation ?? (() => {}),
    logger: safeLogger(options.logger ?? defaultLogger()),
  };
  checkBatching(settings);
  return settings;
}

function checkBatching({ fifo, batchSize, batchWindowSeconds }: MappingSettings): void {
  if (fifo && batchSize > MAX_BATCH_ENTRIES) throw mismatch(OWNER, 'batchSize', `at most ${MAX_BATCH_ENTRIES} on a FIFO queue`, batchSize);
  if (fifo && batchWindowSeconds > 0) throw mismatch(OWNER, 'batchWindowSeconds', '0 on a FIFO queue', batchWindowSeconds);
  if (batchSize > MAX_BATCH_ENTRIES && batchWindowSeconds === 0) {
    throw mismatch(OWNER, 'batchWindowSeconds', `at least 1 with a batchSize over ${MAX_BATCH_ENTRIES}`, batchWindowSeconds);
  }
}
