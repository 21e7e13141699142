import type { DurableDeployment } from '../deployment.ts';
import { ref, type Value } from './cloudformation.ts';
import { RESULTS_QUEUE, START_RUN_QUEUE } from './logical-ids.ts';
import { ownKeyPrefix, payloadBucketName } from './payload-bucket.ts';

export const START_RUN_QUEUE_URL = 'DURABLE_START_RUN_QUEUE_URL';

const SOURCE_MAPS = '--enable-source-maps';

/** What `sqsStepHandler` and `sqsDeadLetterHandler` read on Lambda. */
export function workerEnvironment(deployment: DurableDeployment): Readonly<Record<string, Value>> {
  const { prefix, resultsQueue } = deployment;
  return {
    DURABLE_PREFIX: prefix,
    DURABLE_RESULTS_QUEUE_URL: resultsQueue.owned ? ref(RESULTS_QUEUE) : resultsQueue.url,
    ...(deployment.metrics ? { DURABLE_METRICS: 'true' } : {}),
    ...payloadEnvironment(deployment),
  };
}

/** What `sqsEngineHandler` reads of that: it sends no results. */
export function engineVariables(variables: Readonly<Record<string, Value>>): Readonly<Record<string, Value>> {
  const { DURABLE_RESULTS_QUEUE_URL: _url, DURABLE_METRICS: _metrics, ...ofEngine } = variables;
  return ofEngine;
}

/** What `startRun` reads on Lambda: for the functions that may start runs. */
export function starterEnvironment(deployment: DurableDeployment): Readonly<Record<string, Value>> {
  const { prefix, startRuns } = deployment;
  if (startRuns === undefined) return {};
  const url = startRuns.owned ? ref(START_RUN_QUEUE) : startRuns.url;
  return { DURABLE_PREFIX: prefix, [START_RUN_QUEUE_URL]: url, ...payloadEnvironment(deployment) };
}

function payloadEnvironment(deployment: DurableDeployment): Readonly<Record<string, Value>> {
  const bucket = payloadBucketName(deployment);
  const keyPrefix = ownKeyPrefix(deployment);
  return {
    ...(bucket === undefined ? {} : { DURABLE_PAYLOAD_BUCKET: bucket }),
    ...(deployment.payloadBucket?.owned === true ? { DURABLE_PAYLOAD_BUCKET_OWNER: ref('AWS::AccountId') } : {}),
    ...(keyPrefix === undefined ? {} : { DURABLE_PAYLOAD_KEY_PREFIX: keyPrefix }),
  };
}

/** Node's options with source maps in stack traces, whatever else the service asks of Node. */
export function nodeOptions(given: unknown): unknown {
  if (given === undefined || given === null || given === '') return SOURCE_MAPS;
  return typeof given !== 'string' || given.split(/\s+/).includes(SOURCE_MAPS) ? given : `${given} ${SOURCE_MAPS}`;
}
