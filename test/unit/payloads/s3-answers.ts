import { Readable } from 'node:stream';
import { S3Client } from '@aws-sdk/client-s3';

/** One HTTP request that the SDK formed. */
export interface S3Request {
  readonly method: string;
  readonly hostname: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface S3Answer {
  /** @default 200 */
  readonly status?: number;
  readonly body?: string | Uint8Array | Readable;
  /** @default those of S3 */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A real S3 client of the AWS SDK whose requests end in `respond` instead of the network. */
export function s3Answering(respond: (request: S3Request) => S3Answer | Error): { client: S3Client; requests: S3Request[] } {
  const requests: S3Request[] = [];
  const requestHandler = {
    async handle(request: { method: string; hostname: string; path: string; headers: Record<string, string>; body?: unknown }) {
      const { method, hostname, path, headers } = request;
      const body = request.body instanceof Uint8Array ? Buffer.from(request.body).toString('utf8') : '';
      const seen = { method, hostname, path, headers, body };
      requests.push(seen);
      const answer = respond(seen);
      if (answer instanceof Error) throw answer;
      const { status = 200, body: content = '', headers: sent = { etag: '"1"' } } = answer;
      const stream = content instanceof Readable ? content : Readable.from([Buffer.from(content)]);
      return { response: { statusCode: status, headers: sent, body: stream } };
    },
    updateHttpClientConfig: () => undefined,
    httpHandlerConfigs: () => ({}),
  };
  const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' };
  const client = new S3Client({ region: 'eu-west-1', credentials, maxAttempts: 1, requestHandler });
  return { client, requests };
}

/** S3's own way to refuse. */
export const s3Error = (status: number, code: string): S3Answer => ({
  status,
  body: `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>no</Message><RequestId>1</RequestId></Error>`,
});
