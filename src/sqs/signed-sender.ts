import { SqsRequestError } from '../errors.ts';
import { retry, systemTiming, type Timing } from './backoff.ts';
import { type HttpAnswer, HttpConnections, type Post } from './http-connections.ts';
import { callError, resultSender } from './result-sender.ts';
import { answeredError, parsedObject } from './signed-answer.ts';
import { endpointOf, type SqsEndpoint } from './signed-endpoint.ts';
import { environmentCredentials, environmentEndpoint, invocationTraceId } from './signed-environment.ts';
import { type Credentials, signedRequest } from './signed-request.ts';
import type { ResultSender } from './sqs-api.ts';

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
    const endpoint = signedEndpoint(queueUrl, options, env);
    // Worded as the SDK has it, so that it is read in the same place.
    if (endpoint.region === '') throw new Error('Region is missing');
    const at = Date.now() + skewMs;
    const answer = await post(signedRequest({ operation, body, endpoint, credentials, at: new Date(at), traceId: invocationTraceId(env) }));
    const serverTime = Date.parse(answer.headers.date ?? '');
    if (answer.status >= 400 && Math.abs(serverTime - at) > SKEW_MS) skewMs = serverTime - Date.now();
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

  async function call(operation: string, queueUrl: string | undefined, input: object): Promise<Fields> {
    const body = Buffer.from(JSON.stringify(input, binaryAsBase64));
    const translated = async () => {
      try {
        return await answered(operation, queueUrl, body);
      } catch (error) {
        const queue = queueUrl ?? ('QueueName' in input ? String(input.QueueName) : '');
        throw callError(operation, queue, region() ?? '(none)', error);
      }
    };
    const passes = (error: unknown) => error instanceof SqsRequestError && error.passing;
    return retry(translated, { backoff: BACKOFF, timing, timeoutMs: RETRY_FOR_MS, passes });
  }

  return resultSender({
    region: async () => region() ?? '(none)',
    sendMessageBatch: (input) => call('SendMessageBatch', input.QueueUrl, input),
    changeMessageVisibilityBatch: (input) => call('ChangeMessageVisibilityBatch', input.QueueUrl, input),
    getQueueUrl: (input) => call('GetQueueUrl', undefined, input),
  });
}

/** Where a request goes, and the region it is signed for; that region is empty where nothing says it. */
export function signedEndpoint(queueUrl: string | undefined, options: SignedSenderOptions, env: NodeJS.ProcessEnv): SqsEndpoint {
  const region = options.region ?? env['AWS_REGION'] ?? '';
  return endpointOf(queueUrl, { endpoint: options.endpoint ?? environmentEndpoint(env), region });
}

function binaryAsBase64(key: string, value: unknown): unknown {
  return key === 'BinaryValue' && value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
}

function header({ headers }: HttpAnswer, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}

function named(name: string, message: string): Error {
  return Object.assign(new Error(message), { name });
}
