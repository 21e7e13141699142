import { addAbortSignal, Readable } from 'node:stream';
import type { GetObjectCommandOutput, S3Client } from '@aws-sdk/client-s3';
import { PayloadStoreError } from '../errors.ts';
import { namedError } from '../named-error.ts';
import { dropIdleConnections } from '../sqs/sdk-operations.ts';
import { withinTime } from '../time.ts';
import { isRecord } from '../wire/shape.ts';
import { MAX_STORED_BYTES } from './message-body.ts';
import type { PayloadPointer } from './payload-store.ts';
import type { S3Module } from './s3-module.ts';

/**
 * All of the SDK's own tries together, the transfer included. A connection that died silently would otherwise hold a
 * step for minutes.
 */
export const S3_CALL_TIMEOUT_MS = 30_000;

/** The two calls of S3 that are used. Both reject with PayloadStoreError. */
export interface S3Objects {
  write(object: S3Object, body: string): Promise<void>;
  read(object: S3Object): Promise<string>;
}

export interface S3Object extends PayloadPointer {
  /** Account that owns the bucket, where that is known: S3 refuses the request where it is another's. */
  readonly bucketOwner?: string | undefined;
}

/** {@link S3Objects} on the AWS SDK. */
export function s3Api(
  { GetObjectCommand, PutObjectCommand, S3ServiceException }: S3Module,
  client: S3Client,
  timeoutMs: number,
): S3Objects {
  return {
    write: (object, body) =>
      translated('write', object, async (abortSignal) => {
        const input = { ...inputOf(object), Body: Buffer.from(body), ContentType: 'application/json' };
        const { ETag, $metadata } = await client.send(new PutObjectCommand(input), { abortSignal });
        // S3 always sends one. A proxy on the way answers with its own page, and the body is nowhere.
        if (ETag === undefined) throw notOfS3($metadata.httpStatusCode);
      }),
    read: (object) =>
      translated('read', object, async (abortSignal) => {
        const answer = await client.send(new GetObjectCommand(inputOf(object)), { abortSignal });
        return textOf(object, answer, abortSignal);
      }),
  };

  async function translated<T>(what: 'read' | 'write', object: S3Object, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const isUp = () => {
      dropIdleConnections(client);
      return namedError('TimeoutError', `no answer within ${timeoutMs} ms`);
    };
    try {
      return await withinTime(timeoutMs, undefined, call, isUp);
    } catch (error) {
      throw payloadStoreError(what, object, error, S3ServiceException);
    }
  }
}

function inputOf({ bucket, key, bucketOwner }: S3Object) {
  return { Bucket: bucket, Key: key, ...(bucketOwner === undefined ? {} : { ExpectedBucketOwner: bucketOwner }) };
}

/**
 * The text of an object, which may be no larger than what is written: whoever may send to a queue may point to any
 * object, and all of it would be held in memory.
 */
async function textOf(object: S3Object, { Body, ContentLength = 0 }: GetObjectCommandOutput, signal: AbortSignal): Promise<string> {
  if (Body === undefined) return '';
  if (!(Body instanceof Readable)) return Body.transformToString('utf8');
  // The SDK's signal ends with the head of the answer.
  addAbortSignal(signal, Body);
  const chunks: Buffer[] = [];
  let bytes = ContentLength;
  try {
    if (bytes <= MAX_STORED_BYTES) {
      bytes = 0;
      for await (const chunk of Body) {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > MAX_STORED_BYTES) break;
      }
    }
  } finally {
    Body.destroy();
  }
  if (bytes <= MAX_STORED_BYTES) return Buffer.concat(chunks).toString();
  throw new PayloadStoreError(
    'too_large',
    `object "${object.key}" of bucket "${object.bucket}" is larger than ${MAX_STORED_BYTES} bytes, the most that a stored body may have`,
  );
}

const MISSING: ReadonlySet<string> = new Set(['NoSuchKey', 'NoSuchBucket', 'NoSuchVersion']);
/**
 * Refusals by their HTTP status that are transient all the same: renewed credentials, clocks, throttling, a write
 * beside another.
 */
const TRANSIENT: ReadonlySet<string> = new Set([
  'ExpiredToken',
  'ExpiredTokenException',
  'RequestTimeout',
  'RequestTimeTooSkewed',
  'RequestExpired',
  'SlowDown',
  'Throttling',
  'ThrottlingException',
  'TooManyRequestsException',
  'OperationAborted',
  'ConditionalRequestConflict',
]);

/**
 * An error of the SDK as ours. Only S3 itself can refuse a request for good, and its answer has a code. The SDK makes
 * an exception of S3 of every answer with an error status, a proxy's too, and passes on what the providers of
 * credentials throw.
 *
 * No text of AWS is kept, in the cause either: that of a wrong signature quotes the session token.
 */
export function payloadStoreError(
  what: 'read' | 'write',
  { bucket, key }: PayloadPointer,
  error: unknown,
  exception: S3Module['S3ServiceException'],
): PayloadStoreError {
  if (error instanceof PayloadStoreError) return error;
  const { code, status, requestId, isOfS3 } = answerOf(error, exception);
  const object = `object "${key}" of bucket "${bucket}"`;
  const reason = isOfS3 ? reasonOf(code, status) : 'unavailable';
  const words = {
    missing:
      code === 'NoSuchBucket'
        ? `bucket "${bucket}" does not exist`
        : `${object} does not exist; does a lifecycle rule delete objects younger than 29 days (33 with FIFO queues)?`,
    denied: `S3 refused to ${what} ${object}: ${code}; grant ${what === 'read' ? 's3:GetObject' : 's3:PutObject'}${
      what === 'read' ? ' (without s3:ListBucket a missing object is refused, too)' : ''
    }`,
    unavailable: `could not ${what} ${object}: ${code}`,
  };
  const request = requestId === undefined ? '' : `, request id ${requestId}`;
  const cause = status === 0 ? error : namedError(code, `HTTP status ${status}${request}`);
  return new PayloadStoreError(reason, words[reason], { cause });
}

function reasonOf(code: string, status: number): 'missing' | 'denied' | 'unavailable' {
  if (MISSING.has(code)) return 'missing';
  return status >= 500 || status === 429 || status === 408 || TRANSIENT.has(code) ? 'unavailable' : 'denied';
}

/**
 * What an error says of the answer that it comes from. Status 0: there was none, but a network fault, say, or our own
 * time limit.
 */
function answerOf(error: unknown, exception: S3Module['S3ServiceException']) {
  const { name, $metadata, $response, Code } = isRecord(error) ? error : {};
  const { httpStatusCode, requestId } = isRecord($metadata) ? $metadata : {};
  const status = typeof httpStatusCode === 'number' ? httpStatusCode : 0;
  const isException = error instanceof exception;
  // A stand-in for the client throws its exceptions without an answer.
  const isOfS3 = isException && (typeof Code === 'string' || $response === undefined);
  // Where the answer is a proxy's, the name is only the SDK's guess.
  const isNamed = typeof name === 'string' && (isOfS3 || status === 0 || (!isException && isRecord(error) && '$fault' in error));
  const code = isNamed ? name : status === 0 ? 'Unknown' : `Http${status}`;
  return { code, status, requestId: typeof requestId === 'string' ? requestId : undefined, isOfS3 };
}

function notOfS3(status: number | undefined): Error {
  return Object.assign(new Error('an answer without an ETag'), { $metadata: { httpStatusCode: status } });
}
