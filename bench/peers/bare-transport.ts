import { Agent, request } from 'node:http';
import type { RemoteTask, StepResult, Transport } from '@dudousxd/nestjs-durable-core';

/** Addresses of the two queues, and of the server. */
export interface BareQueues {
  readonly endpoint: string;
  readonly tasksQueueUrl: string;
  readonly resultsQueueUrl: string;
}

interface ReceivedResult {
  readonly ReceiptHandle: string;
  readonly Body: string;
}

/**
 * The least that a transport over SQS has to do: requests of ten messages over `node:http`, and nothing else. Nothing
 * is signed, checked, ordered, retried or extended, and no failure is survived.
 */
export class BareTransport implements Transport {
  readonly #queues: BareQueues;
  readonly #agent = new Agent({ keepAlive: true });
  #handler: ((result: StepResult) => Promise<void>) | undefined;
  #tasks: { readonly body: string; readonly sent: () => void }[] = [];
  #handles: string[] = [];
  #sending = 0;
  #planned = false;

  constructor(queues: BareQueues) {
    this.#queues = queues;
    for (let receiver = 0; receiver < 2; receiver += 1) setImmediate(() => void this.#receive());
  }

  dispatch(task: RemoteTask): Promise<void> {
    return new Promise((sent) => {
      this.#tasks.push({ body: JSON.stringify(task), sent });
      this.#plan();
    });
  }

  onResult(handler: (result: StepResult) => Promise<void>): void {
    this.#handler = handler;
  }

  onHeartbeat(): void {}

  #plan(): void {
    if (this.#planned) return;
    this.#planned = true;
    queueMicrotask(() => {
      this.#planned = false;
      while (this.#tasks.length > 0 && this.#sending < 2) void this.#send(this.#tasks.splice(0, 10));
    });
  }

  async #send(tasks: readonly { readonly body: string; readonly sent: () => void }[]): Promise<void> {
    this.#sending += 1;
    const Entries = tasks.map(({ body }, index) => ({ Id: String(index), MessageBody: body }));
    await this.#call('SendMessageBatch', { QueueUrl: this.#queues.tasksQueueUrl, Entries });
    this.#sending -= 1;
    for (const { sent } of tasks) sent();
    this.#plan();
  }

  async #receive(): Promise<void> {
    const QueueUrl = this.#queues.resultsQueueUrl;
    while (true) {
      const messages = received(await this.#call('ReceiveMessage', { QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 20 }));
      for (const { Body, ReceiptHandle } of messages) {
        void this.#handler?.(JSON.parse(Body));
        this.#handles.push(ReceiptHandle);
      }
      if (this.#handles.length >= 10 || messages.length < 10) this.#delete(this.#handles.splice(0, 10));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #delete(handles: readonly string[]): void {
    if (handles.length === 0) return;
    const Entries = handles.map((ReceiptHandle, index) => ({ Id: String(index), ReceiptHandle }));
    void this.#call('DeleteMessageBatch', { QueueUrl: this.#queues.resultsQueueUrl, Entries });
  }

  #call(operation: string, input: object): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const body = JSON.stringify(input);
      const headers = [
        'content-type',
        'application/x-amz-json-1.0',
        'x-amz-target',
        `AmazonSQS.${operation}`,
        'content-length',
        String(Buffer.byteLength(body)),
        'host',
        new URL(this.#queues.endpoint).host,
      ];
      const call = request(this.#queues.endpoint, { method: 'POST', agent: this.#agent, headers });
      call.on('error', reject);
      call.once('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString())));
      });
      call.end(body);
    });
  }
}

function received(answer: unknown): readonly ReceivedResult[] {
  const messages: unknown = typeof answer === 'object' && answer !== null && 'Messages' in answer ? answer.Messages : undefined;
  return Array.isArray(messages) ? messages : [];
}
