import type { SQSClient, SQSClientConfig } from '@aws-sdk/client-sqs';
import type { RemoteTask as EngineTask } from '@dudousxd/nestjs-durable-core';
import type { Logger } from '../logger.ts';
import {
  aBoolean,
  aClientConfig,
  aFunction,
  aLogger,
  anInteger,
  anSqsClient,
  aPayloadStore,
  aString,
  aUrlOrFunction,
  checkOptions,
  mismatch,
  type OptionRule,
} from '../options.ts';
import type { PayloadStore } from '../payloads/payload-store.ts';
import type { PrefixSource } from '../sqs/missing-queue.ts';
import type { Around } from '../step/step-tasks.ts';
import { type FifoOption, type FifoQueues, fifoQueues, fifoRule, isFifoQueue } from '../topology/fifo-queues.ts';
import { prefixOf } from '../topology/prefix-setting.ts';
import { CONTAINER_VISIBILITY_SECONDS, MAX_VISIBILITY_SECONDS } from '../topology/visibility.ts';
import { isRecord } from '../wire/shape.ts';
import type { TransportEvents, TransportTracing } from './observers.ts';

/** Gives the URL of the tasks queue of a routing token. Sync or async; asked once per token. */
export type QueueUrlResolver = (token: string) => string | Promise<string>;

/**
 * Options of `SqsTransport`. The first ten are those of `@dudousxd/nestjs-durable-transport-sqs`, with the same
 * meaning; as there, they may be set one by one.
 */
export interface SqsTransportOptions {
  /** An SQS client to use; it stays yours and is not destroyed by `close()`. */
  client?: SQSClient;
  /**
   * Configuration of the clients that are made where no `client` is given; these are destroyed by `close()`. Beside a
   * `client`, unused.
   */
  clientConfig?: SQSClientConfig;
  /**
   * The one routing token whose queue this instance's handlers serve. Without it each handler serves the queue of its
   * own name.
   */
  group?: string | undefined;
  /**
   * The tasks queue: a URL, or a function from routing token to URL. Such queues must exist.
   * @default looked up by name
   */
  taskQueueUrl?: string | QueueUrlResolver | undefined;
  /**
   * The results queue: a URL or a function that gives it. It must exist.
   * @default `<prefix>-results`, looked up by name
   */
  resultsQueueUrl?: string | (() => string | Promise<string>) | undefined;
  /** First part of the names of queues that are looked up. @default `DURABLE_PREFIX`, else 'durable' */
  prefix?: string | undefined;
  /** Create queues that are looked up by name and missing, with their dead-letter queues. @default false */
  autoCreate?: boolean;
  /** Message attribute that marks durable messages; messages without it are left to the other consumer of the queue. */
  marker?: string | undefined;
  /** Long poll, 0 to 20 seconds. @default 20 */
  waitTimeSeconds?: number;
  /**
   * Visibility of a task while a handler of this process works on it; extended for as long as it does. With
   * `autoCreate`, a sixth of the visibility of a new tasks queue: the longest timeout a Lambda function may have on it.
   * @default 60
   */
  visibilityTimeoutSec?: number;

  /**
   * Folded into the prefix as `<prefix>-<namespace>`, as the other transports do.
   * @default `DURABLE_NAMESPACE`, else none
   */
  namespace?: string | undefined;
  /**
   * `true`: receiving starts one macrotask after `onResult` / `handle`. `false`: it waits for `start()`.
   * @default true
   */
  autoStart?: boolean;
  /**
   * `false` makes `handle` do nothing: in a NestJS engine whose steps run on Lambda, Nest must not compete for their
   * tasks.
   * @default true
   */
  consumeTasks?: boolean;
  /** Tasks of one queue that a process handles at the same time (`handle`). @default 10 */
  concurrency?: number;
  /** How long `dispatch` retries failures that pass before it rejects, which fails the run. @default 120_000 */
  dispatchTimeoutMs?: number;
  /**
   * Longest time a result is held back for the turn that dispatched its step. Not attached, it is also how long a
   * result of a run's first turn waits past its dispatch. @default 60_000 attached, 250 not attached
   */
  resultHoldMs?: number;
  /**
   * FIFO queues, named `.fifo`: all, or only those of tasks or results. Needed for queues that `autoCreate` makes: a
   * queue that is found as `.fifo`, by its name or by a URL, is FIFO without it. The message group is the run, so what
   * belongs to one run keeps its order, and runs do not wait for each other.
   *
   * A worker that sends no group id cannot answer on a FIFO results queue: Python's, and those of the published
   * transport.
   * @default false
   */
  fifo?: FifoOption;
  /**
   * SQS message group of a task on a standard queue: the tenant of fair queues. On a FIFO queue the group is always the
   * run: beside `fifo` for tasks it is refused, and where `taskQueueUrl` gives a FIFO queue it is not asked. @default
   * none
   */
  messageGroupId?: (task: EngineTask) => string | undefined;
  /**
   * Where bodies go that are too large for a message, and where those that workers stored are read from.
   * @default none
   */
  payloadStore?: PayloadStore;
  /**
   * Receives starts of runs (`<prefix>-start-run`) and gives them to the engine. Off by default: every engine asks for
   * starts, and a second queue that nobody uses would cost its polls and need its rights. `dispatchStartRun` works
   * without. @default false
   */
  startRuns?: boolean;
  /** Told of every failure that is survived: receives, deletes, results and starts that the engine rejected. */
  onError?: (error: unknown) => void;
  /**
   * Functions that are told what happens: `taskSent`, `resultReceived`, `resultAccepted`, `redelivered`.
   * @default none
   */
  on?: TransportEvents;
  /**
   * Spans around sends and around what the engine is given: `openTelemetry()` of `durable-sqs-lambda/opentelemetry`.
   * @default none
   */
  tracing?: TransportTracing;
  /** Wraps every step that `handle` serves, as the `around` of `sqsStepHandler` does. Return what `next()` gives. */
  around?: Around;
  /** @default one readable line per warning and error; JSON on Lambda */
  logger?: Logger;
}

const EVENTS: readonly (keyof TransportEvents)[] = ['taskSent', 'resultReceived', 'resultAccepted', 'redelivered'];

const RULES: Readonly<Record<keyof SqsTransportOptions, OptionRule>> = {
  client: anSqsClient,
  clientConfig: aClientConfig,
  group: aString,
  taskQueueUrl: aUrlOrFunction,
  resultsQueueUrl: aUrlOrFunction,
  prefix: aString,
  autoCreate: aBoolean,
  marker: aString,
  waitTimeSeconds: anInteger(0, 20),
  visibilityTimeoutSec: anInteger(1, MAX_VISIBILITY_SECONDS),
  namespace: aString,
  autoStart: aBoolean,
  consumeTasks: aBoolean,
  concurrency: anInteger(1),
  dispatchTimeoutMs: anInteger(0),
  resultHoldMs: anInteger(0),
  fifo: fifoRule,
  messageGroupId: aFunction,
  payloadStore: aPayloadStore,
  startRuns: aBoolean,
  onError: aFunction,
  on: { expected: `an object of functions: ${EVENTS.join(', ')}`, accepts: isEvents },
  tracing: { expected: 'an object with send and receive, such as openTelemetry() makes', accepts: isTracing },
  around: aFunction,
  logger: aLogger,
};

const OWNER = 'SqsTransport';

/** Checked options with their defaults. `prefix` has the namespace folded in. */
export function readTransportOptions(options: SqsTransportOptions, env: NodeJS.ProcessEnv = process.env) {
  checkOptions(OWNER, options, RULES);
  const fifo = checkedFifo(options);
  const namespace = options.namespace ?? env['DURABLE_NAMESPACE'];
  return {
    ...options,
    fifo,
    prefix: prefixOf(options, env),
    prefixSource: prefixSource(options, env),
    namespace: namespace === '' || namespace === 'default' ? undefined : namespace,
    autoCreate: options.autoCreate ?? false,
    waitTimeSeconds: options.waitTimeSeconds ?? 20,
    visibilityTimeoutSec: options.visibilityTimeoutSec ?? CONTAINER_VISIBILITY_SECONDS,
    autoStart: options.autoStart ?? true,
    consumeTasks: options.consumeTasks ?? true,
    concurrency: options.concurrency ?? 10,
    dispatchTimeoutMs: options.dispatchTimeoutMs ?? 120_000,
    startRuns: options.startRuns ?? false,
  };
}

function prefixSource(options: SqsTransportOptions, env: NodeJS.ProcessEnv): PrefixSource {
  if (options.prefix !== undefined) return 'option';
  return env['DURABLE_PREFIX'] ? 'environment' : 'default';
}

/** Which queues are known to be FIFO, by the option or by a literal URL. */
function checkedFifo({ fifo, taskQueueUrl, resultsQueueUrl, messageGroupId }: SqsTransportOptions): FifoQueues {
  const asked = fifoQueues(fifo);
  const literalFifo = (name: string, url: unknown, isAsked: boolean) => {
    const isFifo = typeof url === 'string' && isFifoQueue(url);
    if (isAsked && typeof url === 'string' && !isFifo)
      throw mismatch(OWNER, name, 'the URL of a FIFO queue (it ends in .fifo) beside the fifo option', url);
    return isAsked || isFifo;
  };
  const tasks = literalFifo('taskQueueUrl', taskQueueUrl, asked.tasks);
  const results = literalFifo('resultsQueueUrl', resultsQueueUrl, asked.results);
  if (tasks && messageGroupId !== undefined)
    throw mismatch(OWNER, 'messageGroupId', 'absent where the tasks queue is FIFO: its message group is the run', messageGroupId);
  return { tasks, results };
}

function isEvents(value: unknown): boolean {
  return (
    isRecord(value) &&
    Object.entries(value).every(([name, fn]) => EVENTS.some((event) => event === name) && aFunction.accepts(fn ?? isEvents))
  );
}

/** A function may carry the two: `openTelemetry()` is an `around`, too. */
function isTracing(value: unknown): boolean {
  if (typeof value !== 'function' && !isRecord(value)) return false;
  return aFunction.accepts(Reflect.get(value, 'send')) && aFunction.accepts(Reflect.get(value, 'receive'));
}
