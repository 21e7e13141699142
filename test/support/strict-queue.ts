import { type Fields, fieldsOf, invalid, MAX_BYTES, MAX_VISIBILITY_SECONDS, type Refusal, range, refusedNames } from './strict-values.ts';

/**
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html
 */
const QUEUE_NAME = /^(?=.{1,80}$)[A-Za-z0-9_-]+(\.fifo)?$/;

/** @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html */
const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  DelaySeconds: [0, 900],
  MaximumMessageSize: [1_024, MAX_BYTES],
  MessageRetentionPeriod: [60, 1_209_600],
  ReceiveMessageWaitTimeSeconds: [0, 20],
  VisibilityTimeout: [0, MAX_VISIBILITY_SECONDS],
};
const SETTABLE: ReadonlySet<unknown> = new Set([
  ...Object.keys(RANGES),
  'Policy',
  'RedrivePolicy',
  'RedriveAllowPolicy',
  'FifoQueue',
  'ContentBasedDeduplication',
  'DeduplicationScope',
  'FifoThroughputLimit',
  'KmsMasterKeyId',
  'KmsDataKeyReusePeriodSeconds',
  'SqsManagedSseEnabled',
]);
/** What `GetQueueAttributes` may be asked for. */
export const GETTABLE: ReadonlySet<unknown> = new Set([
  ...SETTABLE,
  'All',
  'ApproximateNumberOfMessages',
  'ApproximateNumberOfMessagesDelayed',
  'ApproximateNumberOfMessagesNotVisible',
  'CreatedTimestamp',
  'LastModifiedTimestamp',
  'QueueArn',
]);

export function refusedName(name: unknown): Refusal | undefined {
  if (typeof name === 'string' && QUEUE_NAME.test(name)) return undefined;
  return invalid(`queue name ${JSON.stringify(name)}: 1 to 80 of A-Z a-z 0-9 _ -, with .fifo at most at its end`);
}

/** Name and attributes of a queue that is to be made. */
export function refusedQueue(name: unknown, attributes: Fields): Refusal | undefined {
  const fifo = typeof name === 'string' && name.endsWith('.fifo');
  return (
    refusedName(name) ??
    refusedNames('CreateQueue', Object.keys(attributes), SETTABLE) ??
    Object.entries(attributes)
      .map(([attribute, value]) => refusedValue(attribute, value))
      .find((refusal) => refusal !== undefined) ??
    // AWS takes "true" or nothing: "false" is refused on a standard queue.
    (attributes['FifoQueue'] === (fifo ? 'true' : undefined) ? undefined : invalid(`FifoQueue does not go with the name ${name}`)) ??
    (attributes['RedrivePolicy'] === undefined ? undefined : refusedRedrive(fifo, String(attributes['RedrivePolicy'])))
  );
}

function refusedValue(attribute: string, value: unknown): Refusal | undefined {
  if (typeof value !== 'string') return invalid(`attribute ${attribute}: a text`);
  const [minimum, maximum] = RANGES[attribute] ?? [];
  if (minimum === undefined || maximum === undefined) return undefined;
  const refusal = range(attribute, value === '' ? value : Number(value), minimum, maximum);
  return refusal === undefined ? undefined : { ...refusal, code: 'InvalidAttributeValue' };
}

function refusedRedrive(fifo: boolean, policy: string): Refusal | undefined {
  const { deadLetterTargetArn: target, maxReceiveCount: count } = parsed(policy);
  if (typeof target !== 'string' || !/^arn:[^:]+:sqs:[^:]+:\d{12}:./.test(target))
    return invalid('RedrivePolicy without deadLetterTargetArn');
  if (target.endsWith('.fifo') !== fifo)
    return invalid('RedrivePolicy: a FIFO queue has a FIFO dead-letter queue, a standard one a standard one');
  return range('maxReceiveCount', Number(count), 1, 1_000);
}

function parsed(json: string): Fields {
  try {
    return fieldsOf(JSON.parse(json));
  } catch {
    return {};
  }
}
