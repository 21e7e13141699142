import { createHash } from 'node:crypto';
import { SQSClient, type SQSClientConfig } from '@aws-sdk/client-sqs';

/** One HTTP request that the SDK formed, as far as tests look at it. */
export interface SdkRequest {
  /** E.g. `SendMessageBatch`. */
  readonly operation: string;
  readonly input: Record<string, unknown>;
  readonly hostname: string;
  readonly requestTimeout: number | undefined;
  readonly abortSignal: AbortSignal | undefined;
}

export interface SdkAnswer {
  /** @default 200 */
  readonly status?: number;
  /** Text as it is, anything else as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** SQS's error code in the query protocol's spelling. */
  readonly queryError?: string;
}

export type Respond = (request: SdkRequest) => SdkAnswer | Error | Promise<SdkAnswer | Error>;

/**
 * A real SQS client of the AWS SDK whose requests end in `respond` instead of the network: serialisation, signing,
 * error translation and MD5 checks are the SDK's own. It keeps nothing of what it was asked.
 */
export function answeringClient(respond: Respond, config: SQSClientConfig = {}): SQSClient {
  const requestHandler = {
    async handle(
      request: { hostname: string; headers: Record<string, string>; body?: unknown },
      { requestTimeout, abortSignal }: { requestTimeout?: number; abortSignal?: AbortSignal } = {},
    ) {
      const operation = (request.headers['x-amz-target'] ?? '').replace('AmazonSQS.', '');
      const answer = await respond({
        operation,
        input: jsonObject(request.body),
        hostname: request.hostname,
        requestTimeout,
        abortSignal,
      });
      if (answer instanceof Error) throw answer;
      const headers: Record<string, string> = { 'content-type': 'application/x-amz-json-1.0', ...answer.headers };
      if (answer.queryError !== undefined) headers['x-amzn-query-error'] = `${answer.queryError};Sender`;
      const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body ?? {});
      const body = Buffer.from(text);
      return { response: { statusCode: answer.status ?? 200, headers, body } };
    },
    updateHttpClientConfig: () => undefined,
    httpHandlerConfigs: () => ({}),
  };
  return new SQSClient({
    region: 'eu-west-1',
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' },
    maxAttempts: 1,
    ...config,
    requestHandler,
  });
}

/** The same client, with the requests that it made. */
export function stubbedClient(respond: Respond, config: SQSClientConfig = {}): { client: SQSClient; requests: SdkRequest[] } {
  const requests: SdkRequest[] = [];
  const client = answeringClient((request) => {
    requests.push(request);
    return respond(request);
  }, config);
  return { client, requests };
}

export function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}

function jsonObject(body: unknown): Record<string, unknown> {
  const text = typeof body === 'string' ? body : body instanceof Uint8Array ? new TextDecoder().decode(body) : '{}';
  const value: unknown = JSON.parse(text);
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
