import type { SQSClient, SQSClientConfig } from '@aws-sdk/client-sqs';
import { ConfigurationError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import {
  aBoolean,
  aClientConfig,
  aFunction,
  aLogger,
  anInteger,
  anSqsClient,
  aPayloadStore,
  aSchema,
  aString,
  aUrl,
  checkOptions,
  mismatch,
  type OptionRule,
} from '../options.ts';
import type { PayloadStore } from '../payloads/payload-store.ts';
import type { StandardSchemaV1 } from '../step/standard-schema.ts';
import type { StepContext } from '../step/step-context.ts';
import type { Around, ServedStep } from '../step/step-tasks.ts';
import { prefixOf } from '../topology/prefix-setting.ts';
import { kindOf } from '../wire/json.ts';
import { isRecord } from '../wire/shape.ts';
import type { InvocationContext } from './task-batch.ts';

/** {@link StepContext} of a step that runs on Lambda. */
export interface LambdaStepContext extends StepContext {
  /** The context of the invocation. */
  readonly lambda: InvocationContext['lambda'];
}

/** A step's function: input and context in, output (JSON) out. What it throws fails the attempt. */
export type StepFunction<Input, Output> = (input: Input, step: LambdaStepContext) => Output | Promise<Output>;

/** Options of every Lambda handler of this package. Each may be left out. */
export interface ChannelOptions {
  /**
   * Records of one invocation that are worked on at the same time. Matters where the mapping's batch size is above 1.
   * @default 10
   */
  readonly concurrency?: number;
  /**
   * URL of the results queue.
   * @default `DURABLE_RESULTS_QUEUE_URL`, else the queue named `<prefix>-results` or `<prefix>-results.fifo` is looked
   * up once
   */
  readonly resultsQueueUrl?: string | undefined;
  /** First part of the queues' names. @default `DURABLE_PREFIX`, else `durable` */
  readonly prefix?: string | undefined;
  /**
   * Folded into the prefix, as in the engine's transports: `<prefix>-<namespace>`.
   * @default `DURABLE_NAMESPACE`, else none
   */
  readonly namespace?: string | undefined;
  /**
   * Message attribute that marks durable messages on a queue shared with another consumer; the same as the engine's
   * `marker`.
   */
  readonly marker?: string | undefined;
  /** An SQS client to send results with. */
  readonly client?: SQSClient;
  /** Configuration of the SQS client that is made where no `client` is given. */
  readonly clientConfig?: SQSClientConfig;
  /** Where bodies live that are too large for a message; the same store as the engine's. */
  readonly payloadStore?: PayloadStore;
  /** @default JSON lines on Lambda, readable lines elsewhere */
  readonly logger?: Logger;
}

/** Options of `sqsStepHandler` and `sqsWorkflowHandler`. */
export interface MetricsOption {
  /**
   * One line in CloudWatch's embedded metric format for each invocation and step: `Started`, `Completed`, `Failed`,
   * `Redelivered`, `Duration` and `QueueTime` in the namespace `DurableSqsLambda`. CloudWatch bills each as a custom
   * metric.
   * @default `DURABLE_METRICS`, which `custom.durable.metrics` of the plugin sets; else false
   */
  readonly metrics?: boolean;
}

/** Options of `sqsStepHandler`. Each may be left out. */
export interface StepHandlerOptions extends ChannelOptions, MetricsOption {
  /**
   * How long before the end of an invocation work stops, so that what there is can still be sent. At most half of the
   * time that the invocation has.
   * @default measured: a few times what sending results has been costing, 250 to 5,000, a quarter of the time at most
   */
  readonly deadlineReserveMs?: number;
  /**
   * What becomes of a step that has not ended by then. `fail`: the engine is told `lambda_timeout`, retryable, and
   * counts an attempt. `redeliver`: nothing is told, and SQS delivers the task again after its visibility timeout.
   * @default 'fail'
   */
  readonly onDeadline?: 'fail' | 'redeliver';
  /**
   * Wraps every step: spans, context, transactions. `step.task` holds `traceparent` and `context`. Return what `next()`
   * gives.
   */
  readonly around?: Around<LambdaStepContext>;
}

/** Options of a handler of one step: its schemas too, which also type its function. */
export interface SingleStepHandlerOptions<Input, Output> extends StepHandlerOptions {
  /** Standard Schema (zod, valibot, arktype, …) that every input is parsed with. */
  readonly input?: StandardSchemaV1<unknown, Input>;
  /** Standard Schema that every output is parsed with. */
  readonly output?: StandardSchemaV1<Output, unknown>;
}

/** One entry of a handler that serves several steps. */
export interface StepDefinition<Input, Output> {
  readonly run: StepFunction<Input, Output>;
  readonly input?: StandardSchemaV1<unknown, Input>;
  readonly output?: StandardSchemaV1<Output, unknown>;
}

/** Several steps, seen from their inputs: each schema, else each annotation, types the input of its own function. */
export type StepsByInput<Inputs> = {
  readonly [Name in keyof Inputs]: StepFunction<Inputs[Name], unknown> | StepDefinition<Inputs[Name], unknown>;
};

/**
 * What the steps must be beyond that: each returns what its output schema takes, and has no field that is none. Apart,
 * since inference goes backwards through a mapped type for one type parameter only.
 */
export type CheckedSteps<Steps> = {
  readonly [Name in keyof Steps]: ReturnsItsOutput<Steps[Name]> & {
    readonly [Field in Exclude<keyof Steps[Name], keyof StepDefinition<unknown, unknown>>]?: never;
  };
};

type ReturnsItsOutput<Step> = Step extends {
  readonly run: (...args: never) => infer Returned;
  readonly output: StandardSchemaV1<infer Output, unknown>;
}
  ? Awaited<Returned> extends Output
    ? unknown
    : { readonly run: (...args: never) => Output | Promise<Output> }
  : unknown;

const WHERE = 'sqsStepHandler';
const DEFAULT_CONCURRENCY = 10;

/** Options of every handler of this package. */
export const CHANNEL_RULES: Readonly<Record<string, OptionRule>> = {
  concurrency: anInteger(1),
  payloadStore: aPayloadStore,
  resultsQueueUrl: aUrl,
  prefix: aString,
  namespace: aString,
  marker: aString,
  client: anSqsClient,
  clientConfig: aClientConfig,
  logger: aLogger,
};
const OPTION_RULES: Readonly<Record<string, OptionRule>> = {
  ...CHANNEL_RULES,
  around: aFunction,
  metrics: aBoolean,
  deadlineReserveMs: anInteger(1),
  onDeadline: { expected: '"fail" or "redeliver"', accepts: (value) => value === 'fail' || value === 'redeliver' },
};
const SCHEMA_RULES: Readonly<Record<string, OptionRule>> = { input: aSchema, output: aSchema };
const STEP_RULES: Readonly<Record<string, OptionRule>> = { run: aFunction, ...SCHEMA_RULES };

type Steps = ReadonlyMap<string, ServedStep<LambdaStepContext>>;

/**
 * Both forms of arguments, checked: `(name, fn, { input, output, ...options })` and `({ name: fn | { run, input, output
 * } }, options)`.
 */
export function readArguments(nameOrSteps: unknown, second: unknown, third: unknown, env: NodeJS.ProcessEnv) {
  if (typeof nameOrSteps !== 'string') return { steps: readSteps(nameOrSteps), options: readOptions(second, OPTION_RULES, env) };
  checkName(nameOrSteps);
  if (!isStepFunction(second)) {
    throw new ConfigurationError(`${WHERE}: expected the function of step "${nameOrSteps}", got ${kindOf(second)}`);
  }
  const { input, output, ...options } = readOptions(third, { ...OPTION_RULES, ...SCHEMA_RULES }, env);
  const steps: Steps = new Map([[nameOrSteps, servedStep(second, input, output)]]);
  return { steps, options };
}

/** Options and environment, checked and merged: what was given in code wins. */
function readOptions(given: unknown = {}, rules: Readonly<Record<string, OptionRule>>, env: NodeJS.ProcessEnv) {
  checkOptions(WHERE, given, rules);
  const options: StepHandlerOptions & { readonly input?: unknown; readonly output?: unknown } = given;
  return { ...options, ...channelOptions(WHERE, options, env), onDeadline: options.onDeadline ?? 'fail' };
}

/** Where results go, by options and environment. */
export function channelOptions(where: string, options: ChannelOptions, env: NodeJS.ProcessEnv) {
  if (options.client !== undefined && options.clientConfig !== undefined) {
    throw new ConfigurationError(`${where}: expected client or clientConfig, got both; a client already has its configuration`);
  }
  const resultsQueueUrl = options.resultsQueueUrl ?? (env['DURABLE_RESULTS_QUEUE_URL'] || undefined);
  if (resultsQueueUrl !== undefined && !aUrl.accepts(resultsQueueUrl)) {
    throw mismatch(where, 'DURABLE_RESULTS_QUEUE_URL', aUrl.expected, resultsQueueUrl);
  }
  return {
    concurrency: options.concurrency ?? DEFAULT_CONCURRENCY,
    prefix: prefixOf(options, env),
    resultsQueueUrl,
  };
}

function checkName(name: string): void {
  if (name === '') throw new ConfigurationError(`${WHERE}: expected the name of a step, got an empty string`);
}

function readSteps(steps: unknown): Steps {
  if (!isRecord(steps)) throw new ConfigurationError(`${WHERE}: expected a step name or an object of steps, got ${kindOf(steps)}`);
  const entries = Object.entries(steps);
  if (entries.length === 0) throw new ConfigurationError(`${WHERE}: expected at least one step, got an empty object`);
  return new Map(entries.map(([name, definition]) => [name, readStep(name, definition)]));
}

function readStep(name: string, definition: unknown): ServedStep<LambdaStepContext> {
  checkName(name);
  if (isStepFunction(definition)) return { run: definition };
  const where = `${WHERE} step "${name}"`;
  if (typeof definition !== 'object' || definition === null) {
    throw new ConfigurationError(`${where}: expected a function, or an object with run, input and output; got ${kindOf(definition)}`);
  }
  checkOptions(where, definition, STEP_RULES);
  const { run, input, output }: { run?: unknown; input?: unknown; output?: unknown } = definition;
  if (!isStepFunction(run)) throw mismatch(where, 'run', aFunction.expected, run);
  return servedStep(run, input, output);
}

function servedStep(run: ServedStep<LambdaStepContext>['run'], input: unknown, output: unknown): ServedStep<LambdaStepContext> {
  return { run, input: isSchema(input) ? input : undefined, output: isSchema(output) ? output : undefined };
}

// What a step accepts is between its author and the engine (or its schema): here a function is a function.
function isStepFunction(value: unknown): value is (input: unknown, step: LambdaStepContext) => unknown {
  return aFunction.accepts(value);
}

function isSchema(value: unknown): value is StandardSchemaV1 {
  return aSchema.accepts(value);
}
