import type { DurableDeployment } from '../deployment.ts';
import { ref, type Value } from './cloudformation.ts';
import { RESULTS_QUEUE } from './logical-ids.ts';
import { ownKeyPrefix, payloadBucketName } from './payload-bucket.ts';

const SOURCE_MAPS = '--enable-source-maps';

/** What `sqsStepHandler` and `sqsDeadLetterHandler` read on Lambda. */
export function workerEnvironment(deployment: DurableDeployment): Readonly<Record<string, Value>> {
  const { prefix, resultsQueue } = deployment;
  const bucket = payloadBucketName(deployment);
  const keyPrefix = ownKeyPrefix(deployment);
  return {
    DURABLE_PREFIX: prefix,
    DURABLE_RESULTS_QUEUE_URL: resultsQueue.owned ? ref(RESULTS_QUEUE) : resultsQueue.url,
    ...(deployment.metrics ? { DURABLE_METRICS: 'true' } : {}),
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
