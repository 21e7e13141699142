import { SqsRequestError } from '../errors.ts';
import { systemTiming, type Timing } from '../time.ts';
import { HttpConnections, type Post } from './http-connections.ts';
import { callError, resultSender } from './result-sender.ts';
import { retry } from './retry.ts';
import { type Fields, requestBody, signedCaller } from './signed-caller.ts';
import { endpointOf, type SqsEndpoint } from './signed-endpoint.ts';
import { environmentCredentials, environmentEndpoint } from './signed-environment.ts';
import type { Credentials } from './signed-request.ts';
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
/**
 * {@link ResultSender} without the AWS SDK, which is most of a worker's cold start: signed requests in the JSON protocol of SQS.
 *
 * Errors are those of the SDK's sender: `SqsRequestError` with `transient`, `QueueNotFoundError`. A request that SQS may have accepted
 * before its connection broke is sent again; readers of the queue see such a message twice.
 */
export function signedSender(options: SignedSenderOptions = {}): ResultSender {
  const { env = process.env, timing = systemTiming } = options;
  const connections = new HttpConnections(TIMES);
  const post: Post = options.post ?? ((request) => connections.post(request));
  const region = () => options.region ?? (env['AWS_REGION'] || undefined);
  const answered = signedCaller({
    credentials() {
      const credentials = options.credentials ?? environmentCredentials(env);
      if (credentials === undefined) throw named('CredentialsError', 'no AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment');
      return credentials;
    },
    endpoint: (queueUrl) => signedEndpoint(queueUrl, options, env),
    post,
    env,
  });

  async function call(operation: string, queueUrl: string | undefined, input: object): Promise<Fields> {
    const body = requestBody(input);
    const translated = async () => {
      try {
        return await answered(operation, queueUrl, body);
      } catch (error) {
        const queue = queueUrl ?? ('QueueName' in input ? String(input.QueueName) : '');
        throw callError(operation, queue, region() ?? '(none)', error);
      }
    };
    const isTransient = (error: unknown) => error instanceof SqsRequestError && error.transient;
    return retry(translated, { backoff: BACKOFF, timing, timeoutMs: RETRY_FOR_MS, isTransient });
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

function named(name: string, message: string): Error {
  return Object.assign(new Error(message), { name });
}
