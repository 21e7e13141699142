import { isRecord } from '../../src/wire/shape.ts';

/** One call as the injector sees it. */
export interface SqsCall {
  /** `SendMessageBatch`, `ReceiveMessage`, … */
  readonly action: string;
  /** Name of the queue, out of its URL. */
  readonly queue: string;
  /** Access key id of the caller: every process of the test has its own. */
  readonly caller: string;
  /** Whether the AWS SDK made it; otherwise our own signed sender. */
  readonly sdk: boolean;
  readonly body: Readonly<Record<string, unknown>>;
  /** What it sends, deletes or hides; empty for other calls. */
  readonly entries: readonly SqsEntry[];
}

export interface SqsEntry {
  /** Id within a batch; undefined in a call for a single message. */
  readonly id: string | undefined;
  /** Step or turn that the message is about, where its body says so. */
  readonly stepId: string | undefined;
  /** Attempt of the step, where the message is its task. */
  readonly attempt: number | undefined;
  readonly receiptHandle: string | undefined;
}

/** A message of an answer to `ReceiveMessage`. */
export interface SqsMessage extends Readonly<Record<string, unknown>> {
  readonly MessageId: string;
  readonly ReceiptHandle: string;
}

export function readCall(headers: Readonly<Record<string, string | string[] | undefined>>, text: string): SqsCall {
  const body = parsed(text);
  return {
    action: String(headers['x-amz-target'] ?? '').replace('AmazonSQS.', ''),
    queue: (typeof body['QueueUrl'] === 'string' ? body['QueueUrl'] : '').split('/').at(-1) ?? '',
    caller: /Credential=([^/]+)\//.exec(String(headers['authorization'] ?? ''))?.[1] ?? '',
    sdk: String(headers['user-agent'] ?? '').startsWith('aws-sdk-js'),
    body,
    entries: Array.isArray(body['Entries']) ? body['Entries'].filter(isRecord).map(entryOf) : isSingle(body) ? [entryOf(body)] : [],
  };
}

/** The step that a task or a result is about, or the turn that a workflow task or a decision is about. */
export function stepIdOf(messageBody: unknown): string | undefined {
  const { stepId, taskId } = typeof messageBody === 'string' ? parsed(messageBody) : {};
  const id = stepId ?? taskId;
  return typeof id === 'string' ? id : undefined;
}

function attemptOf(messageBody: unknown): number | undefined {
  const { attempt } = typeof messageBody === 'string' ? parsed(messageBody) : {};
  return typeof attempt === 'number' ? attempt : undefined;
}

export function messagesOf(answer: string): SqsMessage[] {
  const { Messages } = parsed(answer);
  return Array.isArray(Messages) ? Messages.filter(isMessage) : [];
}

/** The same message, delivered once more. */
export function deliveredAgain(message: SqsMessage): SqsMessage {
  const attributes = isRecord(message['Attributes']) ? message['Attributes'] : {};
  const count = Number(attributes['ApproximateReceiveCount'] ?? 1) + 1;
  return { ...message, Attributes: { ...attributes, ApproximateReceiveCount: String(count) } };
}

/** An error of SQS in the JSON protocol, as AWS sends it. */
export function errorAnswer(status: number, code: string) {
  return {
    status,
    headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amzn-errortype': code, 'x-amzn-query-error': `${code};Sender` },
    body: JSON.stringify({ __type: `com.amazonaws.sqs#${code}`, message: 'injected by the fault tests' }),
  };
}

/** The answer to a batch of which `failedIds` were kept from SQS. */
export function withFailed(answer: string, failedIds: readonly string[], code: string): string {
  const { Successful, Failed, ...rest } = parsed(answer);
  const injected = failedIds.map((Id) => ({ Id, Code: code, SenderFault: false, Message: 'injected by the fault tests' }));
  return JSON.stringify({
    ...rest,
    Successful: Array.isArray(Successful) ? Successful : [],
    Failed: [...(Array.isArray(Failed) ? Failed : []), ...injected],
  });
}

function entryOf(entry: Readonly<Record<string, unknown>>): SqsEntry {
  const { Id, MessageBody, ReceiptHandle } = entry;
  return {
    id: typeof Id === 'string' ? Id : undefined,
    stepId: stepIdOf(MessageBody),
    attempt: attemptOf(MessageBody),
    receiptHandle: typeof ReceiptHandle === 'string' ? ReceiptHandle : undefined,
  };
}

function isSingle(body: Readonly<Record<string, unknown>>): boolean {
  return body['MessageBody'] !== undefined || body['ReceiptHandle'] !== undefined;
}

function isMessage(value: unknown): value is SqsMessage {
  return isRecord(value) && typeof value['MessageId'] === 'string' && typeof value['ReceiptHandle'] === 'string';
}

function parsed(text: string): Partial<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}
