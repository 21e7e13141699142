import { hash } from 'node:crypto';
import type { Message, SQSClient } from '@aws-sdk/client-sqs';
import { SqsRequestError } from '../errors.ts';
import { systemTiming } from '../time.ts';
import { isRecord } from '../wire/shape.ts';
import { HttpConnections, type Post } from './http-connections.ts';
import type { CallLimits, MessageCalls } from './message-calls.ts';
import { requestError } from './request-errors.ts';
import { type RetryOptions, retry } from './retry.ts';
import { type Fields, requestBody, type SignedCall, signedCaller } from './signed-caller.ts';
import { endpointOf, type SqsEndpoint } from './signed-endpoint.ts';

export interface DirectCalls extends MessageCalls {
  /** Closes the connections that are idle. */
  destroy(): void;
}

/** As the SDK's default: three tries within a second or so. What lasts longer is for those above, who say so and slow down. */
const RETRY = { backoff: { firstMs: 50, maxMs: 400 }, timing: systemTiming, timeoutMs: 1_500 };
const CONNECT_MS = 5_000;
const HANDLED_HERE: ReadonlySet<string> = new Set(['region', 'endpoint', 'credentials']);

/**
 * Whether calls under this configuration come out the same without the SDK's own way to SQS: it says whom to ask and who asks, not how
 * (a request handler, a retry strategy, a logger).
 */
export function isPlain(clientConfig: object): boolean {
  return Object.entries(clientConfig).every(([name, value]) => value === undefined || HANDLED_HERE.has(name));
}

/**
 * {@link MessageCalls} by signed requests of our own, with the region, endpoint and credentials that this client of the SDK has found.
 *
 * A call through the SDK takes four times the processor time of one through here, and what an engine does most is to call SQS.
 * @param post the network; a parameter so that tests need none
 */
export function directCalls(client: SQSClient, post?: Post): DirectCalls {
  const connections = new HttpConnections({ connectMs: CONNECT_MS });
  // Now, as the SDK does: later it puts there what the environment or a profile says, which does not win over the host of a queue URL.
  const { endpoint: configured } = client.config;
  const endpoints = new Map<string, SqsEndpoint>();

  const answered: SignedCall = signedCaller({
    credentials: () => client.config.credentials(),
    async endpoint(queueUrl = '') {
      let endpoint = endpoints.get(queueUrl);
      if (endpoint === undefined) {
        endpoint = endpointOf(queueUrl, { endpoint: textOf(await configured?.()), region: await client.config.region() });
        endpoints.set(queueUrl, endpoint);
      }
      return endpoint;
    },
    post: post ?? ((request, signal) => connections.post(request, signal)),
    env: process.env,
  });

  function call(operation: string, input: { QueueUrl: string | undefined }, { abortSignal }: CallLimits): Promise<Fields> {
    const body = requestBody(input);
    const options: RetryOptions = { ...RETRY, isTransient: (error) => requestError(operation, error).transient, signal: abortSignal };
    return retry(() => answered(operation, input.QueueUrl, body, abortSignal), options);
  }

  const direct: MessageCalls = {
    receiveMessage: async (input, limits) => ({ Messages: receivedMessages((await call('ReceiveMessage', input, limits))['Messages']) }),
    sendMessageBatch: (input, limits) => call('SendMessageBatch', input, limits),
    deleteMessageBatch: (input, limits) => call('DeleteMessageBatch', input, limits),
    changeMessageVisibilityBatch: (input, limits) => call('ChangeMessageVisibilityBatch', input, limits),
  };
  return { ...direct, destroy: () => connections.destroy() };
}

type Endpoint = Awaited<ReturnType<NonNullable<SQSClient['config']['endpoint']>>>;

function textOf(endpoint: Endpoint | undefined): string | undefined {
  if (endpoint === undefined) return undefined;
  const { protocol, hostname, port, path } = endpoint;
  return `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}`;
}

/** What is in an answer, with binary attributes as bytes. @throws SqsRequestError where a body is not the one that was sent */
function receivedMessages(value: unknown): Message[] {
  if (!Array.isArray(value)) return [];
  const messages = value.filter(isMessage);
  if (!messages.every(isIntact)) throw new SqsRequestError('ReceiveMessage', 'ChecksumMismatch', true);
  return messages.map((message) => {
    const { MessageAttributes: attributes } = message;
    return attributes === undefined ? message : { ...message, MessageAttributes: withBytes(attributes) };
  });
}

function isMessage(value: unknown): value is Message {
  return isRecord(value) && [value['MessageId'], value['ReceiptHandle'], value['Body']].every(isTextOrNothing);
}

function isTextOrNothing(value: unknown): boolean {
  return value === undefined || typeof value === 'string';
}

/** As in the SDK, which refuses the whole answer too: what came with it is delivered again. */
function isIntact({ Body = '', MD5OfBody }: Message): boolean {
  return MD5OfBody === undefined || MD5OfBody === md5(Body, MD5OfBody);
}

/** Where this build of Node has no MD5 (FIPS), `otherwise`. */
function md5(text: string, otherwise: string): string {
  try {
    return hash('md5', text);
  } catch {
    return otherwise;
  }
}

function withBytes(attributes: NonNullable<Message['MessageAttributes']>): NonNullable<Message['MessageAttributes']> {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, attribute]) => {
      const bytes: unknown = attribute.BinaryValue;
      return [name, typeof bytes === 'string' ? { ...attribute, BinaryValue: Buffer.from(bytes, 'base64') } : attribute];
    }),
  );
}
