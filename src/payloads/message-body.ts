import { PayloadStoreError } from '../errors.ts';
import type { OutgoingMessage } from '../sqs/sqs-api.ts';
import { messageBytes } from '../wire/limits.ts';
import type { PayloadPointer, PayloadStore, PayloadSubject } from './payload-store.ts';
import { decodePointer, encodePointer, pointerAttributes } from './pointer.ts';

/** Most bytes of a stored body: whoever writes or reads it holds all of it in memory. */
export const MAX_STORED_BYTES = 64 * 1_048_576;

/**
 * The message as it is sent: itself while it is small or there is no store, else a pointer to its stored body.
 * @throws PayloadStoreError
 */
export async function storeLargeBody(
  message: OutgoingMessage,
  about: PayloadSubject,
  store: PayloadStore | undefined,
): Promise<OutgoingMessage> {
  if (store === undefined) return message;
  const bytes = messageBytes(message.body, message.attributes);
  if (bytes <= store.thresholdBytes) return message;
  if (bytes > MAX_STORED_BYTES) {
    throw new PayloadStoreError(
      'too_large',
      `${about.kind} of step ${about.stepId}: ${bytes} bytes, at most ${MAX_STORED_BYTES} can be stored; pass a reference to the data`,
    );
  }
  const pointer = await store.put(message.body, about);
  const attributes = { ...message.attributes, ...pointerAttributes(Buffer.byteLength(message.body)) };
  return { ...message, body: encodePointer(pointer), attributes };
}

/**
 * The body as it was sent, read from the store where the message holds a pointer. Gives an ordinary body back
 * unchanged, and at once.
 * @throws PayloadStoreError, `not_configured` where there is a pointer and no store
 */
export function readBody(body: string, store: PayloadStore | undefined): string | Promise<string> {
  const pointer = decodePointer(body);
  return pointer === undefined ? body : storedBody(pointer, store);
}

/**
 * The body that a pointer stands for.
 * @throws PayloadStoreError, `not_configured` where there is no store
 */
export async function storedBody(pointer: PayloadPointer, store: PayloadStore | undefined): Promise<string> {
  if (store !== undefined) return store.get(pointer);
  throw new PayloadStoreError(
    'not_configured',
    `the message points to object "${pointer.key}" of bucket "${pointer.bucket}", but there is no payloadStore here: give the payloadStore option`,
  );
}
