import { type SqsQueuesOptions, sqsQueues } from '../lambda/worker-queues.ts';
import { aString, checkRequiredOptions, type OptionRule } from '../options.ts';
import { type NamedStart, startMessage } from '../payloads/start-message.ts';
import { retry } from '../sqs/retry.ts';
import { startRunQueueName } from '../topology/queue-names.ts';
import type { FieldRule } from '../wire/shape.ts';
import { DEFAULT_TENANT, SEARCH_ATTRIBUTES, TAGS } from '../wire/start-run.ts';
import { type RunStarterOptions, readStarterOptions } from './start-options.ts';

/** A run that is to be started. */
export interface RunToStart<Input = unknown> {
  /** Name of the workflow, as the engine knows it. */
  readonly workflow: string;
  /** JSON. */
  readonly input?: Input;
  /**
   * Id of the run: starts of one id are one run. Give one where the caller itself may be called again (an id of the
   * order, say).
   * @default a random UUID
   */
  readonly runId?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  /** Data of the run that it can be found by. */
  readonly searchAttributes?: Readonly<Record<string, string | number | boolean>> | undefined;
}

export interface StartedRun {
  readonly runId: string;
}

/** Starts runs. Resolves once SQS has accepted the start; the run begins when an engine receives it. */
export type StartRunFunction = <Input>(run: RunToStart<Input>) => Promise<StartedRun>;

const WHERE = 'startRun';
const RULES: Readonly<Record<keyof RunToStart, OptionRule>> = {
  workflow: aString,
  // JSON says what it can be.
  input: { expected: 'anything', accepts: () => true },
  runId: aString,
  tags: optionOf(TAGS),
  searchAttributes: optionOf(SEARCH_ATTRIBUTES),
};

/**
 * A `startRun` with options of its own.
 * @throws ConfigurationError for an option or environment variable that is unknown or of the wrong type.
 */
export function runStarter(options: RunStarterOptions = {}): StartRunFunction {
  return openStarter(options, process.env);
}

/** @param open opens SQS; a parameter, as is `env`, so that tests need no network */
export function openStarter(options: RunStarterOptions, env: NodeJS.ProcessEnv, open?: SqsQueuesOptions['open']): StartRunFunction {
  const { queueUrl, prefix, client, clientConfig, payloadStore } = readStarterOptions(options, env);
  const queues = sqsQueues({ prefix, client, clientConfig, ...(open === undefined ? {} : { open }) });
  const urlOf = () => (queueUrl === undefined ? queues.urlOf([startRunQueueName(prefix)]) : Promise.resolve(queueUrl));
  return async (run) => {
    checkRequiredOptions(WHERE, run, RULES, ['workflow']);
    const start = namedStart(run);
    const message = await startMessage(start, payloadStore);
    await retry(async () => queues.send(await urlOf(), message), queues.retries(Number.POSITIVE_INFINITY));
    return { runId: start.runId };
  };
}

/** The id is minted here, before the first send: however often the message is sent and delivered, it is one run. */
function namedStart({ workflow, input, runId = crypto.randomUUID(), tags, searchAttributes }: RunToStart): NamedStart {
  return {
    tenant: DEFAULT_TENANT,
    workflow,
    input,
    runId,
    ...(tags === undefined ? {} : { tags: [...tags] }),
    ...(searchAttributes === undefined ? {} : { searchAttributes: { ...searchAttributes } }),
  };
}

function optionOf({ expected, matches }: FieldRule): OptionRule {
  return { expected, accepts: matches };
}

let byEnvironment: StartRunFunction | undefined;

/**
 * Starts a run by message, from any function: no engine, no store, no AWS SDK.
 *
 * ```ts
 * const { runId } = await startRun({ workflow: 'checkout', input: order });
 * ```
 *
 * The environment says where the start goes: `DURABLE_START_RUN_QUEUE_URL`, which the plugin sets
 * (`custom.durable.startRuns`), else `DURABLE_PREFIX` and `DURABLE_NAMESPACE`. For options, see {@link runStarter}.
 *
 * @throws ConfigurationError for what is no run, QueueNotFoundError, SqsRequestError, PayloadStoreError (an input that
 * is too large). After an error SQS may have the start all the same: start it again with the same `runId`.
 */
export function startRun<Input>(run: RunToStart<Input>): Promise<StartedRun> {
  byEnvironment ??= runStarter();
  return byEnvironment(run);
}
