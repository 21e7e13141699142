import type { Attributes } from '@opentelemetry/api';

/**
 * What every span says, by the semantic conventions for messaging and for SQS; below `durable.`, what they have no word
 * for.
 * @see https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
 * @see https://opentelemetry.io/docs/specs/semconv/messaging/sqs/
 */
export function messagingAttributes(
  operation: 'send' | 'process',
  { runId, stepId, messageId, receiveCount }: MessageFacts,
  queue: string | undefined,
): Attributes {
  return {
    'messaging.system': 'aws_sqs',
    'messaging.operation.name': operation,
    'messaging.operation.type': operation,
    ...(queue === undefined ? {} : queueAttributes(queue)),
    ...(messageId === undefined ? {} : { 'messaging.message.id': messageId }),
    'messaging.message.conversation_id': runId,
    'durable.run.id': runId,
    'durable.step.id': stepId,
    ...(receiveCount === undefined ? {} : { 'durable.message.receive_count': receiveCount }),
  };
}

export interface MessageFacts {
  readonly runId: string;
  readonly stepId: string;
  readonly messageId?: string;
  readonly receiveCount?: number;
}

/** @param queue its URL or its ARN */
export function queueAttributes(queue: string): Attributes {
  const name = { 'messaging.destination.name': queueNameOf(queue) };
  return URL.canParse(queue) && queue.startsWith('http')
    ? { ...name, 'aws.sqs.queue.url': queue, 'server.address': new URL(queue).hostname }
    : name;
}

/** `{operation} {queue}`; without a queue, the operation alone. */
export function spanName(operation: string, queue: string | undefined): string {
  return queue === undefined ? operation : `${operation} ${queueNameOf(queue)}`;
}

/**
 * A class of errors, of which there are few: its code, else its name. Never its message, which may quote an input.
 * @see https://opentelemetry.io/docs/specs/semconv/registry/attributes/error/
 */
export function errorType(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return 'code' in error && typeof error.code === 'string' && error.code !== '' ? error.code : error.name;
}

/** The name in the URL or the ARN of a queue. */
function queueNameOf(queue: string): string {
  return queue.slice(Math.max(queue.lastIndexOf('/'), queue.lastIndexOf(':')) + 1);
}
