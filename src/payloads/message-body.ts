import { PayloadStoreError } from '../errors.ts';
import type { OutgoingMessage } from '../sqs/sqs-api.ts';
import { messageBytes } from '../wire/limits.ts';
import type { PayloadStore, PayloadSubject } from './payload-store.ts';
import { decodePointer, encodePointer, pointerAttributes } from './pointer.ts';

/**
 * The message as it is sent: itself while it is small or there is no store, else a pointer to its stored body.
 * @throws PayloadStoreError
 */
export async function storeLargeBody(
  message: OutgoingMessage,
  about: PayloadSubject,
  store: PayloadStore | undefined,
): Promise<OutgoingMessage> {
  if (store === undefined || messageBytes(message.body, message.attributes) <= store.thresholdBytes) return message;
  const pointer = await store.put(message.body, about);
  const attributes = { ...message.attributes, ...pointerAttributes(Buffer.byteLength(message.body)) };
  return { ...message, body: encodePointer(pointer), attributes };
}

/**
 * The body as it was sent, read from the store where the message holds a pointer. Gives an ordinary body back unchanged, and at once.
 * @throws PayloadStoreError, `not_configured` where there is a pointer and no store
 */
export function readBody(body: string, store: PayloadStore | undefined): string | Promise<string> {
  const pointer = decodePointer(body);
  if (pointer === undefined) return body;
  if (store !== undefined) return store.get(pointer);
  throw new PayloadStoreError(
    'not_configured',
    `the message points to object "${pointer.key}" of bucket "${pointer.bucket}", but there is no payloadStore here: give the payloadStore option`,
  );
}
