import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto';
import type { SqsEndpoint } from './endpoint.ts';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

export interface UnsignedRequest {
  /** E.g. `SendMessageBatch`. */
  readonly operation: string;
  readonly body: string;
  readonly endpoint: SqsEndpoint;
  readonly credentials: Credentials;
  /** The clock of SQS, as far as it is known. */
  readonly at: Date;
  readonly traceId?: string | undefined;
}

export interface SignedRequest {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Text, which Node sends together with the headers in one write; bytes would be a second one. */
  readonly body: string;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';

/**
 * A request in the JSON protocol of SQS with its Signature Version 4.
 *
 * Not by a package: the small ones are CommonJS, which a bundler cannot turn into an ES module without a banner in
 * everybody's build, and for requests of one shape a signature is a few lines. The tests compare it with the AWS SDK's
 * own signer and with `aws4`.
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
export function signedRequest({ operation, body, endpoint, credentials, at, traceId }: UnsignedRequest): SignedRequest {
  const { url, region } = endpoint;
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  const time = at.toISOString().replace(/[:-]|\.\d{3}/g, '');
  const scope = `${time.slice(0, 8)}/${region}/sqs/aws4_request`;
  // In the order of their names, as they are signed.
  const signed: Readonly<Record<string, string>> = {
    'content-type': 'application/x-amz-json-1.0',
    host: url.host,
    'x-amz-date': time,
    ...(sessionToken === undefined ? {} : { 'x-amz-security-token': sessionToken }),
    'x-amz-target': `AmazonSQS.${operation}`,
  };
  const names = Object.keys(signed).join(';');
  let lines = '';
  for (const [name, value] of Object.entries(signed)) lines += `${name}:${value}\n`;
  const path = url.pathname === '/' ? '/' : canonicalPath(url.pathname);
  const canonical = `POST\n${path}\n\n${lines}\n${names}\n${hash('sha256', body)}`;
  const signature = createHmac('sha256', signingKey(secretAccessKey, scope))
    .update(`${ALGORITHM}\n${time}\n${scope}\n${hash('sha256', canonical)}`)
    .digest('hex');
  return {
    url,
    headers: {
      ...signed,
      'content-length': String(Buffer.byteLength(body)),
      authorization: `${ALGORITHM} Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
      // Not signed: tracing proxies write into it on the way.
      ...(traceId === undefined ? {} : { 'x-amzn-trace-id': traceId }),
    },
    body,
  };
}

/** The path of an endpoint, encoded once more than in the request itself, as every service but S3 has it. */
function canonicalPath(pathname: string): string {
  return pathname
    .split('/')
    .map((part) => encodeURIComponent(part).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`))
    .join('/');
}

let lastKey: { readonly secretAccessKey: string; readonly scope: string; readonly key: KeyObject } | undefined;

/** Made of each part of the scope in turn. The same for a day's requests, so the last one is kept. */
function signingKey(secretAccessKey: string, scope: string): KeyObject {
  if (lastKey?.secretAccessKey !== secretAccessKey || lastKey.scope !== scope) {
    let bytes = Buffer.from(`AWS4${secretAccessKey}`);
    for (const part of scope.split('/')) bytes = createHmac('sha256', bytes).update(part).digest();
    lastKey = { secretAccessKey, scope, key: createSecretKey(bytes) };
  }
  return lastKey.key;
}
