import { addAbortSignal, Readable } from 'node:stream';
import type { GetObjectCommandOutput, S3Client } from '@aws-sdk/client-s3';
import { PayloadStoreError } from '../errors.ts';
import { withinTime } from '../time.ts';
import type { PayloadPointer } from './payload-store.ts';
import type { S3Module } from './s3-module.ts';

/** All of the SDK's own tries together, the transfer included. A connection that died silently would otherwise hold a step for minutes. */
export const S3_CALL_TIMEOUT_MS = 30_000;

/** The two calls of S3 that are used. Both reject with PayloadStoreError. */
export interface S3Objects {
  write(pointer: PayloadPointer, body: string): Promise<void>;
  read(pointer: PayloadPointer): Promise<string>;
}

/** {@link S3Objects} on the AWS SDK. */
export function s3Api({ GetObjectCommand, PutObjectCommand }: S3Module, client: S3Client, timeoutMs: number): S3Objects {
  return {
    write: (pointer, body) =>
      translated('write', pointer, async (abortSignal) => {
        const input = { Bucket: pointer.bucket, Key: pointer.key, Body: Buffer.from(body), ContentType: 'application/json' };
        await client.send(new PutObjectCommand(input), { abortSignal });
      }),
    read: (pointer) =>
      translated('read', pointer, async (abortSignal) => {
        const answer = await client.send(new GetObjectCommand({ Bucket: pointer.bucket, Key: pointer.key }), { abortSignal });
        return textOf(answer, abortSignal);
      }),
  };

  async function translated<T>(what: 'read' | 'write', pointer: PayloadPointer, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    try {
      return await withinTime(timeoutMs, undefined, call);
    } catch (error) {
      throw payloadStoreError(what, pointer, error);
    }
  }
}

async function textOf({ Body }: GetObjectCommandOutput, signal: AbortSignal): Promise<string> {
  if (Body === undefined) return '';
  // The SDK's signal ends with the head of the answer.
  if (Body instanceof Readable) addAbortSignal(signal, Body);
  return Body.transformToString('utf8');
}

const MISSING: ReadonlySet<string> = new Set(['NoSuchKey', 'NotFound', 'NoSuchBucket', 'NoSuchVersion']);
/** Refusals by their HTTP status that pass all the same: renewed credentials, clocks, throttling, a write beside another. */
const PASSING: ReadonlySet<string> = new Set([
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

/** An error of the SDK as ours. */
export function payloadStoreError(what: 'read' | 'write', { bucket, key }: PayloadPointer, cause: unknown): PayloadStoreError {
  const code = cause instanceof Error ? cause.name : 'Unknown';
  const object = `object "${key}" of bucket "${bucket}"`;
  const reason = reasonOf(code, statusOf(cause));
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
  return new PayloadStoreError(reason, words[reason], { cause });
}

function reasonOf(code: string, status: number | undefined): 'missing' | 'denied' | 'unavailable' {
  if (MISSING.has(code)) return 'missing';
  // Without a status there was no answer: a network fault, or our own timeout. Credentials that cannot be had now may be had later.
  if (status === undefined || status >= 500 || status === 429 || status === 408 || PASSING.has(code)) return 'unavailable';
  // An answer that broke off after a good beginning.
  if (status < 300) return 'unavailable';
  return 'denied';
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return undefined;
  const { $metadata: metadata } = error;
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return undefined;
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined;
}
