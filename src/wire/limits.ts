/** Limits of one SQS message and of one batch request, and how SQS counts them. */

/**
 * Bytes of one message, and of all messages of one `SendMessageBatch` together, attributes included.
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
 */
export const MAX_MESSAGE_BYTES = 1_048_576;

/** Entries of one batch request (send, delete, change visibility), and messages of one receive. */
export const MAX_BATCH_ENTRIES = 10;

/** String attributes of a message, by name. */
export type StringAttributes = Readonly<Record<string, string>>;

/** What SQS counts for a message: UTF-8 bytes of the body and of each attribute's name, type and value. */
export function messageBytes(body: string, attributes: StringAttributes = {}): number {
  let bytes = Buffer.byteLength(body);
  for (const [name, value] of Object.entries(attributes)) {
    bytes += Buffer.byteLength(name) + 'String'.length + Buffer.byteLength(value);
  }
  return bytes;
}
