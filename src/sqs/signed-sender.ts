import { QueueNotFoundError, SqsRequestError } from '../errors.ts';
import { type MessageAttribute, typedAttribute } from '../wire/limits.ts';
import { retry, systemTiming, type Timing } from './backoff.ts';
import { type HttpAnswer, HttpConnections, type Post } from './http-connections.ts';
import { isMissingQueue, requestError } from './request-errors.ts';
import { answeredError, entryOutcomes, parsedObject } from './signed-answer.ts';
import { checksumsOf } from './signed-checksums.ts';
import { endpointOf } from './signed-endpoint.ts';
import { environmentCredentials, environmentEndpoint, invocationTraceId } from './signed-environment.ts';
import { type Credentials, signedRequest } from './signed-request.ts';
import type { OutgoingMessage, ResultSender } from './sqs-api.ts';

export interface SignedSenderOptions {
  /** @default `AWS_ENDPOINT_URL_SQS`, `AWS_ENDPOINT_URL`, else the host of each queue URL */
  readonly endpoint?: string | undefined;
  /** For hosts that name no region. @default `AWS_REGION` */
  readonly region?: string | undefined;
  /** @default the environment's, read anew for each request */
  readonly credentials?: Credentials | undefined;
  /** The network; a parameter so that tests need none. */
  readonly post?: Post;
  readonly timing?: Timing;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Shorter than a function's default timeout, and generous for a request that takes some ten milliseconds: a connection that died
 * silently must leave time for the next try.
 */
const TIMES = { connectMs: 1_500, answerMs: 3_000 };
const BACKOFF = { firstMs: 50, maxMs: 400 };
/** Bridges one throttled or failed request. What lasts longer is for the caller, who knows how much time is left. */
const RETRY_FOR_MS = 1_500;
/** SQS accepts five minutes of difference; a clock further off than this is corrected. */
const SKEW_MS = 4 * 60_000;
const SIGNATURE_CODES: ReadonlySet<string> = new Set([
  'AuthFailure',
  'InvalidSignatureException',
  'RequestExpired',
  'RequestInTheFuture',
  'RequestTimeTooSkewed',
  'SignatureDoesNotMatch',
]);

type Fields = Readonly<Record<string, unknown>>;

/**
 * {@link ResultSender} without the AWS SDK, which is most of a worker's cold start: signed requests in the JSON protocol of SQS.
 *
 * Errors are those of the SDK's sender: `SqsRequestError` with `passing`, `QueueNotFoundError`. A request that SQS may have accepted
 * before its connection broke is sent again; readers of the queue see such a message twice.
 */
export function signedSender(options: SignedSenderOptions = {}): ResultSender {
  const { env = process.env, timing = systemTiming } = options;
  const connections = new HttpConnections(TIMES);
  const post: Post = options.post ?? ((request) => connections.post(request));
  const region = () => options.region ?? (env['AWS_REGION'] || undefined);
  /** What SQS's clock is ahead of ours. */
  let skewMs = 0;

  async function once(operation: string, queueUrl: string | undefined, body: Buffer): Promise<HttpAnswer> {
    const credentials = options.credentials ?? environmentCredentials(env);
    if (credentials === undefined) throw named('CredentialsError', 'no AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment');
    const endpoint = endpointOf(queueUrl, { endpoint: options.endpoint ?? environmentEndpoint(env), region: region() ?? 'us-east-1' });
    const at = Date.now() + skewMs;
    const answer = await post(signedRequest({ operation, body, endpoint, credentials, at: new Date(at), traceId: invocationTraceId(env) }));
    const serverTime = Date.parse(answer.headers.date ?? '');
    if (answer.status >= 400 && Math.abs(serverTime - at) > SKEW_MS) skewMs += serverTime - at;
    return answer;
  }

  /** Signs with the corrected clock where SQS refused a signature for its time. */
  async function answered(operation: string, queueUrl: string | undefined, body: Buffer): Promise<Fields> {
    for (let corrected = false; ; corrected = true) {
      const skewBefore = skewMs;
      const answer = await once(operation, queueUrl, body);
      if (answer.status < 300) {
        const fields = parsedObject(answer.body);
        if (fields === undefined) throw new SqsRequestError(operation, 'UnreadableAnswer', true);
        return fields;
      }
      const error = answeredError(answer.status, answer.body, header(answer, 'x-amzn-query-error'));
      if (corrected || skewMs === skewBefore || !SIGNATURE_CODES.has(error.name)) throw error;
    }
  }

  async function call(operation: string, queueUrl: string | undefined, input: Fields): Promise<Fields> {
    const body = Buffer.from(JSON.stringify(input));
    try {
      return await retry(
        async () => {
          try {
            return await answered(operation, queueUrl, body);
          } catch (error) {
            throw isMissingQueue(error) ? error : requestError(operation, error);
          }
        },
        { backoff: BACKOFF, timing, timeoutMs: RETRY_FOR_MS, passes: (error) => error instanceof SqsRequestError && error.passing },
      );
    } catch (error) {
      if (!isMissingQueue(error)) throw error;
      throw new QueueNotFoundError(queueUrl ?? String(input['QueueName']), region() ?? '(none)', { cause: error });
    }
  }

  return {
    region: async () => region() ?? '(none)',

    async sendMessages(queueUrl, messages) {
      const Entries = messages.map((message, index) => ({ Id: String(index), ...messageFields(message) }));
      const answer = await call('SendMessageBatch', queueUrl, { QueueUrl: queueUrl, Entries });
      return entryOutcomes(messages.length, answer, (index, entry) => isIntact(messages[index], entry));
    },

    async changeVisibility(queueUrl, entries) {
      const Entries = entries.map(({ receiptHandle, timeoutSeconds }, index) => {
        return { Id: String(index), ReceiptHandle: receiptHandle, VisibilityTimeout: timeoutSeconds };
      });
      return entryOutcomes(entries.length, await call('ChangeMessageVisibilityBatch', queueUrl, { QueueUrl: queueUrl, Entries }));
    },

    async findQueueUrl(queueName) {
      try {
        const { QueueUrl } = await call('GetQueueUrl', undefined, { QueueName: queueName });
        return typeof QueueUrl === 'string' ? QueueUrl : undefined;
      } catch (error) {
        if (error instanceof QueueNotFoundError) return undefined;
        throw error;
      }
    },
  };
}

function messageFields({ body, attributes, groupId, deduplicationId }: OutgoingMessage) {
  return {
    MessageBody: body,
    // JSON.stringify leaves out what is undefined.
    MessageAttributes: attributes && Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, attributeFields(value)])),
    MessageGroupId: groupId,
    MessageDeduplicationId: deduplicationId,
  };
}

function attributeFields(attribute: MessageAttribute) {
  const { dataType, value } = typedAttribute(attribute);
  return typeof value === 'string'
    ? { DataType: dataType, StringValue: value }
    : { DataType: dataType, BinaryValue: Buffer.from(value).toString('base64') };
}

/** What an answer does not mention, as an emulator may, says nothing against the message. */
function isIntact(message: OutgoingMessage | undefined, { MD5OfMessageBody, MD5OfMessageAttributes }: Fields): boolean {
  const sums = message === undefined ? undefined : checksumsOf(message);
  if (sums === undefined) return true;
  return (MD5OfMessageBody ?? sums.body) === sums.body && (MD5OfMessageAttributes ?? sums.attributes) === sums.attributes;
}

function header({ headers }: HttpAnswer, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}

function named(name: string, message: string): Error {
  return Object.assign(new Error(message), { name });
}
