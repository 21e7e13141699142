import { CreateQueueCommand, SetQueueAttributesCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { serviceQueues } from '../../src/topology/planned-queues.ts';
import { createQueueAttributes } from '../../src/topology/queue-attributes.ts';

export interface EngineQueuesOptions {
  readonly prefix: string;
  readonly resultsQueueUrl: string;
  /** Of all three: what a killed invocation held comes again so late. On AWS, no less than the function's timeout. */
  readonly visibilitySeconds: number;
}

/**
 * The queues that an engine function reads: those of results, which is there, of starts and of wake-ups. Nobody answers
 * for dead letters in a test, so these have none.
 */
export async function createEngineQueues(
  client: SQSClient,
  { prefix, resultsQueueUrl, visibilitySeconds }: EngineQueuesOptions,
): Promise<readonly [results: string, starts: string, wakeUps: string]> {
  const VisibilityTimeout = String(visibilitySeconds);
  await client.send(new SetQueueAttributesCommand({ QueueUrl: resultsQueueUrl, Attributes: { VisibilityTimeout } }));
  const create = async (kind: 'start-run' | 'wake-ups') => {
    const { queue } = serviceQueues(kind, { prefix, fifo: false });
    const Attributes = { ...createQueueAttributes(queue, undefined), VisibilityTimeout };
    const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: queue.name, Attributes }));
    if (QueueUrl === undefined) throw new Error(`SQS made ${queue.name} and gave no URL`);
    return QueueUrl;
  };
  return [resultsQueueUrl, await create('start-run'), await create('wake-ups')];
}
