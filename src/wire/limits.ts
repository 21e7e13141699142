/** Limits of one SQS message and of one batch request, and how SQS counts them. */

/**
 * Bytes of one message, and of all messages of one `SendMessageBatch` together, attributes included.
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
 */
export const MAX_MESSAGE_BYTES = 1_048_576;

/** Entries of one batch request (send, delete, change visibility), and messages of one receive. */
export const MAX_BATCH_ENTRIES = 10;

/** One message attribute as SQS has it; a bare string stands for data type `String`. */
export type MessageAttribute = string | TypedAttribute;

/**
 * An attribute of any data type: `String`, `Number`, `Binary`, or one of them with a label behind a dot (`Number.int`).
 */
export interface TypedAttribute {
  readonly dataType: string;
  readonly value: string | Uint8Array;
}

/** Message attributes by name. */
export type MessageAttributes = Readonly<Record<string, MessageAttribute>>;

/** What SQS counts for a message: UTF-8 bytes of the body and of each attribute's name, type and value. */
export function messageBytes(body: string, attributes: MessageAttributes = {}): number {
  let bytes = Buffer.byteLength(body);
  for (const [name, attribute] of Object.entries(attributes)) {
    const { dataType, value } = typedAttribute(attribute);
    bytes += Buffer.byteLength(name) + Buffer.byteLength(dataType) + Buffer.byteLength(value);
  }
  return bytes;
}

/** The most bytes that UTF-8 needs for one UTF-16 unit. */
const MOST_BYTES_OF_A_UNIT = 3;

/** Whether {@link messageBytes} is at most `limitBytes`. Counts only if the length of the body leaves it open. */
export function fitsInBytes(body: string, attributes: MessageAttributes | undefined, limitBytes: number): boolean {
  if (attributes === undefined && body.length * MOST_BYTES_OF_A_UNIT <= limitBytes) return true;
  return messageBytes(body, attributes) <= limitBytes;
}

export function typedAttribute(attribute: MessageAttribute): TypedAttribute {
  return typeof attribute === 'string' ? { dataType: 'String', value: attribute } : attribute;
}
