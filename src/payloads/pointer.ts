import { attempt } from '../attempt.ts';
import type { MessageAttributes } from '../wire/limits.ts';
import type { PayloadPointer } from './payload-store.ts';

/**
 * The message that stands for a stored body, in the format of the Amazon SQS Extended Client Library, which the Java
 * and Python clients read and write.
 * @see https://github.com/awslabs/amazon-sqs-java-extended-client-lib
 */
const POINTER_CLASS = 'software.amazon.payloadoffloading.PayloadS3Pointer';
/** Written by version 1 of the Java client. */
const OLD_POINTER_CLASS = 'com.amazon.sqs.javamessaging.MessageS3Pointer';
const SIZE_ATTRIBUTE = 'ExtendedPayloadSize';

export function encodePointer({ bucket, key }: PayloadPointer): string {
  return JSON.stringify([POINTER_CLASS, { s3BucketName: bucket, s3Key: key }]);
}

/** The extra attribute of a message whose body is a pointer: by it the extended clients know that it is one. */
export function pointerAttributes(storedBytes: number): MessageAttributes {
  return { [SIZE_ATTRIBUTE]: { dataType: 'Number', value: String(storedBytes) } };
}

/**
 * The pointer that a body is, or undefined where it is an ordinary body. The body alone decides: a task or a result is
 * an object, so it is never taken for the array that a pointer is.
 */
export function decodePointer(body: string): PayloadPointer | undefined {
  if (!body.startsWith('[')) return undefined;
  const parsed: unknown = attempt(() => JSON.parse(body));
  if (!Array.isArray(parsed) || parsed.length !== 2) return undefined;
  const [className, fields]: unknown[] = parsed;
  if (className !== POINTER_CLASS && className !== OLD_POINTER_CLASS) return undefined;
  if (typeof fields !== 'object' || fields === null) return undefined;
  const { s3BucketName: bucket, s3Key: key }: { s3BucketName?: unknown; s3Key?: unknown } = fields;
  return typeof bucket === 'string' && typeof key === 'string' ? { bucket, key } : undefined;
}
