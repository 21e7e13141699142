import { CreateQueueCommand, SetQueueAttributesCommand, SQSClient, type SQSClientConfig } from '@aws-sdk/client-sqs';
import { serviceQueues } from '../../src/topology/planned-queues.ts';
import { createQueueAttributes } from '../../src/topology/queue-attributes.ts';

const VISIBILITY_TIMEOUT = { VisibilityTimeout: '30' };

export interface EngineQueues {
  readonly startRunQueueUrl: string;
  readonly wakeUpsQueueUrl: string;
}

/**
 * The queues that an engine reads beside the results; all three hide a message for as long as the plugin has them do.
 */
export async function createEngineQueues(clientConfig: SQSClientConfig, prefix: string, resultsQueueUrl: string): Promise<EngineQueues> {
  const client = new SQSClient(clientConfig);
  const create = async (kind: 'start-run' | 'wake-ups') => {
    const { queue } = serviceQueues(kind, { prefix, fifo: false });
    const Attributes = { ...createQueueAttributes(queue, undefined), ...VISIBILITY_TIMEOUT };
    const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: queue.name, Attributes }));
    if (QueueUrl === undefined) throw new Error(`SQS made ${queue.name} and gave no URL`);
    return QueueUrl;
  };
  try {
    await client.send(new SetQueueAttributesCommand({ QueueUrl: resultsQueueUrl, Attributes: VISIBILITY_TIMEOUT }));
    return { startRunQueueUrl: await create('start-run'), wakeUpsQueueUrl: await create('wake-ups') };
  } finally {
    client.destroy();
  }
}
