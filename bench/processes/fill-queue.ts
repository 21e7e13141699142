import { CreateQueueCommand, SendMessageBatchCommand, type SQSClient } from '@aws-sdk/client-sqs';

const PER_REQUEST = 10;
const AT_ONCE = 4;

/** Makes a queue and puts messages into it. Gives its URL. */
export async function filledQueue(client: SQSClient, name: string, count: number, body: (index: number) => string): Promise<string> {
  const { QueueUrl = '' } = await client.send(new CreateQueueCommand({ QueueName: name, Attributes: { VisibilityTimeout: '300' } }));
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const first = next;
      next = Math.min(count, first + PER_REQUEST);
      const Entries = Array.from({ length: next - first }, (_, index) => ({ Id: String(index), MessageBody: body(first + index) }));
      await client.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return QueueUrl;
}
