import type { SQSClient, SQSClientConfig } from '@aws-sdk/client-sqs';
import { ConfigurationError } from '../errors.ts';
import { aClientConfig, anSqsClient, aPayloadStore, aString, aUrl, checkOptions, mismatch, type OptionRule } from '../options.ts';
import type { PayloadStore } from '../payloads/payload-store.ts';
import { prefixOf } from '../topology/prefix-setting.ts';

/** Options of `runStarter`. Each may be left out. */
export interface RunStarterOptions {
  /**
   * URL of the start queue.
   * @default `DURABLE_START_RUN_QUEUE_URL`, else the queue `<prefix>-start-run` is looked up once
   */
  readonly queueUrl?: string | undefined;
  /** First part of the queue's name. @default `DURABLE_PREFIX`, else `durable` */
  readonly prefix?: string | undefined;
  /**
   * Folded into the prefix, as in the engine's transport: `<prefix>-<namespace>`.
   * @default `DURABLE_NAMESPACE`, else none
   */
  readonly namespace?: string | undefined;
  /** An SQS client to send with. */
  readonly client?: SQSClient;
  /** Configuration of the SQS client that is made where no `client` is given. */
  readonly clientConfig?: SQSClientConfig;
  /**
   * Where inputs go that are too large for a message; the same store as the engine's.
   * @default none: a large start is refused
   */
  readonly payloadStore?: PayloadStore;
}

const WHERE = 'runStarter';
const QUEUE_URL = 'DURABLE_START_RUN_QUEUE_URL';
const RULES: Readonly<Record<keyof RunStarterOptions, OptionRule>> = {
  queueUrl: aUrl,
  prefix: aString,
  namespace: aString,
  client: anSqsClient,
  clientConfig: aClientConfig,
  payloadStore: aPayloadStore,
};

/** Options and environment, checked and merged: what was given in code wins. */
export function readStarterOptions(options: RunStarterOptions, env: NodeJS.ProcessEnv) {
  checkOptions(WHERE, options, RULES);
  if (options.client !== undefined && options.clientConfig !== undefined) {
    throw new ConfigurationError(`${WHERE}: expected client or clientConfig, got both; a client already has its configuration`);
  }
  const queueUrl = options.queueUrl ?? (env[QUEUE_URL] || undefined);
  if (queueUrl !== undefined && !aUrl.accepts(queueUrl)) throw mismatch(WHERE, QUEUE_URL, aUrl.expected, queueUrl);
  return { ...options, queueUrl, prefix: prefixOf(options, env) };
}
