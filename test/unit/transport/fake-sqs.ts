import type { SQSClient, SQSClientConfig } from '@aws-sdk/client-sqs';
import { vi } from 'vitest';
import { QueueNotFoundError, SqsRequestError } from '../../../src/errors.ts';
import type { EntryOutcome, OutgoingMessage, ReceivedMessage, ReceiveOptions, SqsApi, VisibilityChange } from '../../../src/sqs/sqs-api.ts';
import type { MessageAttributes } from '../../../src/wire/limits.ts';
import { settle } from '../../support/fake-timing.ts';
import { md5, type SdkAnswer, type SdkRequest, stubbedClient } from '../../support/stub-request-handler.ts';

export type Operation = 'send' | 'receive' | 'delete' | 'change' | 'find' | 'create' | 'attributes';

interface StoredMessage {
  readonly messageId: string;
  readonly body: string;
  readonly attributes: MessageAttributes;
  readonly groupId: string | undefined;
  readonly sentAt: number;
  visibleAt: number;
  receiveCount: number;
  receiptHandle: string;
}

/** A call as it was made. */
export interface Call {
  readonly operation: Operation;
  readonly queue: string;
  readonly atMs: number;
  readonly receive?: ReceiveOptions;
  readonly messages?: readonly OutgoingMessage[];
  readonly changes?: readonly VisibilityChange[];
  readonly attributes?: Readonly<Record<string, string>>;
}

/**
 * A model of SQS in memory, on the clock that vitest fakes: visibility timeouts, receive counts, long polls, queues
 * that are missing, message groups and deduplication of FIFO queues (a group is shut while one of its messages is
 * hidden, as on AWS). No redrive: receive counts say what would end as a dead letter.
 */
export class FakeSqs implements SqsApi {
  readonly calls: Call[] = [];
  /** Gives the error that a call is to fail with, if it is to fail. */
  fault: (operation: Operation, queue: string) => Error | undefined = () => undefined;
  /** How one entry of a batch ends, where it is not to be accepted. */
  entryFault: (operation: Operation, queue: string) => EntryOutcome | undefined = () => undefined;
  /** Whether messages carry the time at which they were sent. */
  tellsSentAt = false;
  readonly #queues = new Map<string, StoredMessage[]>();
  readonly #deduplicated = new Set<string>();
  readonly #listeners = new Set<() => void>();
  #ids = 0;

  constructor(...queues: readonly string[]) {
    for (const name of queues) this.#queues.set(name, []);
  }

  static url(name: string): string {
    return `https://sqs.eu-west-1.amazonaws.com/1/${name}`;
  }

  addQueue(name: string): void {
    this.#queues.set(name, []);
    this.#changed();
  }

  removeQueue(name: string): void {
    this.#queues.delete(name);
    this.#changed();
  }

  get queueNames(): string[] {
    return [...this.#queues.keys()];
  }

  /** Puts a message on a queue; one that was received so many times before. */
  put(name: string, body: string | object, attributes: Readonly<Record<string, string>> = {}, receiveCount = 0): void {
    this.#add(name, { body: typeof body === 'string' ? body : JSON.stringify(body), attributes }, receiveCount);
  }

  /** Puts a message of a group on a FIFO queue. */
  putInGroup(name: string, groupId: string, body: string | object): void {
    this.#add(name, { body: typeof body === 'string' ? body : JSON.stringify(body), groupId });
  }

  messages(name: string): readonly Readonly<StoredMessage>[] {
    return this.#queue(name);
  }

  bodies(name: string): unknown[] {
    return this.#queue(name).map(({ body }): unknown => JSON.parse(body));
  }

  callsOf(operation: Operation, queue?: string): Call[] {
    return this.calls.filter((call) => call.operation === operation && (queue === undefined || call.queue === queue));
  }

  /** Visibility changes in the order they came, in seconds. */
  get visibilities(): number[] {
    return this.calls.flatMap(({ changes }) => changes ?? []).map(({ timeoutSeconds }) => timeoutSeconds);
  }

  // --- SqsApi

  async sendMessages(queueUrl: string, messages: readonly OutgoingMessage[]): Promise<EntryOutcome[]> {
    const queue = this.#called('send', queueUrl, { messages });
    return messages.map((message) => {
      const failed = this.entryFault('send', queue);
      if (failed === undefined) this.#add(queue, message);
      return failed ?? { ok: true };
    });
  }

  async receiveMessages(queueUrl: string, options: ReceiveOptions, signal?: AbortSignal): Promise<ReceivedMessage[]> {
    const queue = this.#called('receive', queueUrl, { receive: options });
    const until = Date.now() + options.waitTimeSeconds * 1000;
    for (;;) {
      if (signal?.aborted) throw Object.assign(new Error('Request aborted'), { name: 'AbortError' });
      const stored = this.#queues.get(queue);
      if (stored === undefined) throw new QueueNotFoundError(queueUrl, 'eu-west-1');
      const visible = stored.filter(({ visibleAt }) => visibleAt <= Date.now());
      const shut = new Set(queue.endsWith('.fifo') ? stored.filter((one) => !visible.includes(one)).map(({ groupId }) => groupId) : []);
      const ready = visible.filter(({ groupId }) => groupId === undefined || !shut.has(groupId)).slice(0, options.maxMessages);
      if (ready.length > 0 || Date.now() >= until) return ready.map((message) => this.#receive(stored, message, options));
      const nextAt = Math.min(until, ...stored.map(({ visibleAt }) => visibleAt).filter((at) => at > Date.now()));
      await this.#change(nextAt - Date.now(), signal);
    }
  }

  async deleteMessages(queueUrl: string, receiptHandles: readonly string[]): Promise<EntryOutcome[]> {
    const queue = this.#called('delete', queueUrl, {});
    return receiptHandles.map((handle) => {
      const failed = this.entryFault('delete', queue);
      const messages = this.#queue(queue);
      const index = messages.findIndex(({ receiptHandle }) => receiptHandle === handle);
      if (failed === undefined && index >= 0) messages.splice(index, 1);
      if (queue.endsWith('.fifo')) queueMicrotask(() => this.#changed());
      return failed ?? { ok: true };
    });
  }

  async changeVisibility(queueUrl: string, changes: readonly VisibilityChange[]): Promise<EntryOutcome[]> {
    const queue = this.#called('change', queueUrl, { changes });
    const outcomes = changes.map(({ receiptHandle, timeoutSeconds }): EntryOutcome => {
      const message = this.#queue(queue).find((stored) => stored.receiptHandle === receiptHandle);
      if (message === undefined) return { ok: false, sqsCode: 'ReceiptHandleIsInvalid', transient: false };
      message.visibleAt = Date.now() + timeoutSeconds * 1000;
      return { ok: true };
    });
    this.#changed();
    return outcomes;
  }

  async findQueueUrl(name: string): Promise<string | undefined> {
    this.calls.push({ operation: 'find', queue: name, atMs: Date.now() });
    const error = this.fault('find', name);
    if (error !== undefined) throw error;
    return this.#queues.has(name) ? FakeSqs.url(name) : undefined;
  }

  async createQueue(name: string, attributes: Readonly<Record<string, string>>): Promise<string> {
    this.calls.push({ operation: 'create', queue: name, atMs: Date.now(), attributes });
    const error = this.fault('create', name);
    if (error !== undefined) throw error;
    if (!this.#queues.has(name)) this.addQueue(name);
    return FakeSqs.url(name);
  }

  async queueAttributes(queueUrl: string, names: readonly string[]): Promise<Record<string, string>> {
    const queue = this.#called('attributes', queueUrl, {});
    const messages = this.#queue(queue);
    const ready = messages.filter(({ visibleAt }) => visibleAt <= Date.now()).length;
    const all: Record<string, string> = {
      QueueArn: `arn:aws:sqs:eu-west-1:1:${queue}`,
      ApproximateNumberOfMessages: String(ready),
      ApproximateNumberOfMessagesNotVisible: String(messages.length - ready),
      ApproximateNumberOfMessagesDelayed: '0',
    };
    return Object.fromEntries(names.map((name) => [name, all[name] ?? '']));
  }

  async region(): Promise<string> {
    return 'eu-west-1';
  }

  // --- as a client of the SDK

  /** A real client of the AWS SDK whose requests end here. */
  client(config: SQSClientConfig = {}): SQSClient {
    return stubbedClient((request) => this.#answer(request), config).client;
  }

  async #answer({ operation, input, abortSignal }: SdkRequest): Promise<SdkAnswer | Error> {
    try {
      return { body: await this.#operations[operation]?.(input, abortSignal) };
    } catch (error) {
      if (error instanceof QueueNotFoundError) {
        return {
          status: 400,
          queryError: 'AWS.SimpleQueueService.NonExistentQueue',
          body: { __type: 'com.amazonaws.sqs#QueueDoesNotExist', message: 'The specified queue does not exist.' },
        };
      }
      if (error instanceof SqsRequestError) {
        return { status: error.transient ? 500 : 400, body: { __type: `com.amazonaws.sqs#${error.sqsCode}`, message: error.sqsCode } };
      }
      return error instanceof Error ? error : new Error('expected an error');
    }
  }

  readonly #operations: Readonly<Record<string, (input: Record<string, unknown>, signal?: AbortSignal) => Promise<unknown>>> = {
    SendMessageBatch: async (input) => {
      const sent = entries(input).map((entry) => ({
        body: String(entry['MessageBody']),
        attributes: stringAttributes(entry['MessageAttributes']),
        ...(entry['MessageGroupId'] === undefined ? {} : { groupId: String(entry['MessageGroupId']) }),
        ...(entry['MessageDeduplicationId'] === undefined ? {} : { deduplicationId: String(entry['MessageDeduplicationId']) }),
      }));
      return batchAnswer(await this.sendMessages(url(input), sent), (index) => ({ MD5OfMessageBody: md5(sent[index]?.body ?? '') }));
    },
    ReceiveMessage: async (input, signal) => {
      const names = input['MessageAttributeNames'];
      const received = await this.receiveMessages(
        url(input),
        {
          maxMessages: Number(input['MaxNumberOfMessages']),
          waitTimeSeconds: Number(input['WaitTimeSeconds']),
          visibilityTimeoutSeconds: Number(input['VisibilityTimeout'] ?? 30),
          attributeNames: Array.isArray(names) ? names.map(String) : [],
        },
        signal,
      );
      const Messages = received.map(({ messageId, receiptHandle, body, receiveCount, attributeNames, groupId }) => ({
        MessageId: messageId,
        ReceiptHandle: receiptHandle,
        Body: body,
        MD5OfBody: md5(body),
        Attributes: { ApproximateReceiveCount: String(receiveCount), ...(groupId === undefined ? {} : { MessageGroupId: groupId }) },
        MessageAttributes: Object.fromEntries(attributeNames.map((name) => [name, { DataType: 'String', StringValue: '1' }])),
      }));
      return { Messages };
    },
    DeleteMessageBatch: async (input) =>
      batchAnswer(
        await this.deleteMessages(
          url(input),
          entries(input).map((entry) => String(entry['ReceiptHandle'])),
        ),
      ),
    ChangeMessageVisibilityBatch: async (input) => {
      const changes = entries(input).map((entry) => ({
        receiptHandle: String(entry['ReceiptHandle']),
        timeoutSeconds: Number(entry['VisibilityTimeout']),
      }));
      return batchAnswer(await this.changeVisibility(url(input), changes));
    },
    GetQueueUrl: async (input) => {
      const QueueUrl = await this.findQueueUrl(String(input['QueueName']));
      if (QueueUrl === undefined) throw new QueueNotFoundError(String(input['QueueName']), 'eu-west-1');
      return { QueueUrl };
    },
    CreateQueue: async (input) => ({ QueueUrl: await this.createQueue(String(input['QueueName']), strings(input['Attributes'])) }),
    GetQueueAttributes: async (input) => {
      const names = input['AttributeNames'];
      return { Attributes: await this.queueAttributes(url(input), Array.isArray(names) ? names.map(String) : []) };
    },
  };

  // --- inside

  #called(operation: Operation, queueUrl: string, what: Partial<Call>): string {
    const queue = queueUrl.split('/').at(-1) ?? '';
    this.calls.push({ operation, queue, atMs: Date.now(), ...what });
    const error = this.fault(operation, queue);
    if (error !== undefined) throw error;
    if (!this.#queues.has(queue)) throw new QueueNotFoundError(queueUrl, 'eu-west-1');
    return queue;
  }

  #queue(name: string): StoredMessage[] {
    const queue = this.#queues.get(name);
    if (queue === undefined) throw new QueueNotFoundError(name, 'eu-west-1');
    return queue;
  }

  #add(name: string, { body, attributes = {}, groupId, deduplicationId }: OutgoingMessage, receiveCount = 0): void {
    const duplicate = deduplicationId !== undefined && this.#deduplicated.has(`${name} ${deduplicationId}`);
    if (duplicate) return;
    this.#deduplicated.add(`${name} ${deduplicationId}`);
    this.#ids += 1;
    const messageId = `m${this.#ids}`;
    const sentAt = Date.now();
    this.#queue(name).push({ messageId, body, attributes, groupId, sentAt, visibleAt: 0, receiveCount, receiptHandle: '' });
    this.#changed();
  }

  #receive(queue: StoredMessage[], message: StoredMessage, { visibilityTimeoutSeconds = 30, attributeNames = [] }: ReceiveOptions) {
    message.receiveCount += 1;
    message.visibleAt = Date.now() + visibilityTimeoutSeconds * 1000;
    message.receiptHandle = `${message.messageId}#${message.receiveCount}`;
    if (message.groupId === undefined) {
      // Last in line: SQS keeps no order, and one message must not starve the others.
      queue.splice(queue.indexOf(message), 1);
      queue.push(message);
    }
    const { messageId, receiptHandle, body, receiveCount, attributes, groupId, sentAt } = message;
    const names = Object.keys(attributes).filter((name) => attributeNames.includes(name));
    const group = groupId === undefined ? {} : { groupId };
    return { messageId, receiptHandle, body, receiveCount, attributeNames: names, ...group, ...(this.tellsSentAt ? { sentAt } : {}) };
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  #change(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#listeners.delete(done);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      this.#listeners.add(done);
      signal?.addEventListener('abort', done, { once: true });
    });
  }
}

/**
 * Lets so much faked time pass, and all that happens in it; the SDK needs a few turns of the real event loop for each
 * call.
 */
export async function pass(ms = 0): Promise<void> {
  await turns();
  await vi.advanceTimersByTimeAsync(ms);
  await turns();
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) {
    await settle();
    await vi.advanceTimersByTimeAsync(0);
  }
}

export function transient(code = 'InternalError'): SqsRequestError {
  return new SqsRequestError('Test', code, true);
}

export function definite(code = 'AccessDenied'): SqsRequestError {
  return new SqsRequestError('Test', code, false);
}

function url(input: Record<string, unknown>): string {
  return String(input['QueueUrl']);
}

function entries(input: Record<string, unknown>): Record<string, unknown>[] {
  const list: unknown = input['Entries'];
  return Array.isArray(list) ? list.map((entry: unknown) => (isObject(entry) ? { ...entry } : {})) : [];
}

function stringAttributes(value: unknown): Record<string, string> {
  if (!isObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).map(([name, held]) => [name, String(isObject(held) ? Reflect.get(held, 'StringValue') : '')]),
  );
}

function strings(value: unknown): Record<string, string> {
  return isObject(value) ? Object.fromEntries(Object.entries(value).map(([name, held]) => [name, String(held)])) : {};
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function batchAnswer(outcomes: readonly EntryOutcome[], more: (index: number) => object = () => ({})) {
  const named = outcomes.map((outcome, index) => ({ outcome, Id: String(index), index }));
  return {
    Successful: named.flatMap(({ outcome, Id, index }) => (outcome.ok ? [{ Id, MessageId: Id, ...more(index) }] : [])),
    Failed: named.flatMap(({ outcome, Id }) => (outcome.ok ? [] : [{ Id, Code: outcome.sqsCode, SenderFault: !outcome.transient }])),
  };
}
