import { ListQueuesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { isAwsHost } from '../topology/partitions.ts';
import { endpointOfEnvironment } from './environment.ts';
import type { ClientOptions } from './open-sqs.ts';

/** It is for a message about an error: that must not wait for long. */
const ANSWER_MS = 2_000;

/**
 * Names of all queues of an SQS outside AWS, such as that of `sls durable local`. Undefined on AWS, where an engine has
 * no right to list queues, and where the SQS does not answer.
 */
export async function localQueueNames({ client, clientConfig }: ClientOptions): Promise<readonly string[] | undefined> {
  const asked = client ?? new SQSClient({ ...endpointOfEnvironment(process.env), ...clientConfig });
  try {
    const endpoint = await asked.config.endpoint?.();
    if (endpoint === undefined || isAwsHost(endpoint.hostname)) return undefined;
    const { QueueUrls = [] } = await asked.send(new ListQueuesCommand({}), { abortSignal: AbortSignal.timeout(ANSWER_MS) });
    return QueueUrls.map((url) => url.slice(url.lastIndexOf('/') + 1));
  } catch {
    return undefined;
  } finally {
    if (asked !== client) asked.destroy();
  }
}
