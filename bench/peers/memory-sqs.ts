import type { SQSClient } from '@aws-sdk/client-sqs';
import { answeringClient, type SdkRequest } from '../../test/support/stub-request-handler.ts';

/** Makes the body of the next message of the one queue that can be received from; undefined: none is left. */
export type MessageSource = () => string | undefined;

/**
 * An SDK client on an SQS that is in memory and holds nothing: what is sent is accepted and dropped, what is received
 * is made on the spot. So time and memory are those of whoever uses it, and of the SDK.
 */
export function memorySqsClient(next: MessageSource): SQSClient {
  let received = 0;
  const messages = () => {
    const batch: unknown[] = [];
    while (batch.length < 10) {
      const Body = next();
      if (Body === undefined) break;
      received += 1;
      batch.push({ MessageId: `m-${received}`, ReceiptHandle: `r-${received}`, Body, Attributes: { ApproximateReceiveCount: '1' } });
    }
    return batch;
  };

  async function answer({ operation, input, abortSignal }: SdkRequest): Promise<unknown> {
    if (operation === 'GetQueueUrl') return { QueueUrl: `https://sqs.us-east-1.amazonaws.com/1/${String(input['QueueName'])}` };
    if (operation !== 'ReceiveMessage') return { Successful: accepted(input['Entries']) };
    const Messages = messages();
    if (Messages.length === 0) await untilAborted(abortSignal);
    return { Messages };
  }

  // The checksums of what is made up here would be made up too.
  return answeringClient(async (request) => ({ body: await answer(request) }), { region: 'us-east-1', md5: false });
}

function accepted(entries: unknown): unknown[] {
  return Array.isArray(entries) ? entries.map(({ Id }: { Id: string }) => ({ Id, MessageId: Id, MD5OfMessageBody: '' })) : [];
}

/** As a long poll on an empty queue: ends when its caller cuts it. */
function untilAborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const cut = () => reject(Object.assign(new Error('the poll was cut'), { name: 'AbortError' }));
    if (signal?.aborted) cut();
    else signal?.addEventListener('abort', cut, { once: true });
  });
}
