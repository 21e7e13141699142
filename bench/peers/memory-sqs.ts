import { SQSClient } from '@aws-sdk/client-sqs';

/** Makes the body of the next message of the one queue that can be received from; undefined: none is left. */
export type MessageSource = () => string | undefined;

/**
 * An SDK client on an SQS that is in memory and holds nothing: what is sent is accepted and dropped, what is received is made on the spot.
 * So time and memory are those of whoever uses it, and of the SDK.
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

  async function answer(operation: string, input: Readonly<Record<string, unknown>>, signal: AbortSignal | undefined): Promise<unknown> {
    if (operation === 'GetQueueUrl') return { QueueUrl: `https://sqs.us-east-1.amazonaws.com/1/${String(input['QueueName'])}` };
    if (operation !== 'ReceiveMessage') return { Successful: accepted(input['Entries']) };
    const Messages = messages();
    if (Messages.length === 0) await untilAborted(signal);
    return { Messages };
  }

  return new SQSClient({
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    // The checksums of what is made up here would be made up too.
    md5: false,
    requestHandler: {
      async handle(request: { headers: Record<string, string>; body?: unknown }, { abortSignal }: { abortSignal?: unknown } = {}) {
        const operation = request.headers['x-amz-target']?.replace('AmazonSQS.', '') ?? '';
        const signal = abortSignal instanceof AbortSignal ? abortSignal : undefined;
        const body = Buffer.from(JSON.stringify(await answer(operation, parsed(request.body), signal)));
        return { response: { statusCode: 200, headers: { 'content-type': 'application/x-amz-json-1.0' }, body } };
      },
    },
  });
}

function accepted(entries: unknown): unknown[] {
  return Array.isArray(entries) ? entries.map(({ Id }: { Id: string }) => ({ Id, MessageId: Id, MD5OfMessageBody: '' })) : [];
}

function parsed(body: unknown): Readonly<Record<string, unknown>> {
  const text = typeof body === 'string' ? body : body instanceof Uint8Array ? new TextDecoder().decode(body) : '{}';
  return JSON.parse(text);
}

/** As a long poll on an empty queue: ends when its caller cuts it. */
function untilAborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const cut = () => reject(Object.assign(new Error('the poll was cut'), { name: 'AbortError' }));
    if (signal?.aborted) cut();
    else signal?.addEventListener('abort', cut, { once: true });
  });
}
