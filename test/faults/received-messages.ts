import type { SqsCall, SqsMessage } from './sqs-wire.ts';
import type { Upstream } from './upstream.ts';

/** What each process has received and not deleted. */
export class ReceivedMessages {
  /** By caller: receipt handle → URL of its queue. */
  readonly #byCaller = new Map<string, Map<string, string>>();

  add({ caller, body }: SqsCall, messages: readonly SqsMessage[]): void {
    const handles = this.#byCaller.get(caller) ?? new Map<string, string>();
    for (const { ReceiptHandle } of messages) handles.set(ReceiptHandle, String(body['QueueUrl']));
    this.#byCaller.set(caller, handles);
  }

  /** SQS has carried the call out, but for some entries. */
  deleted({ caller, entries }: SqsCall, exceptIds: readonly string[]): void {
    const handles = this.#byCaller.get(caller);
    for (const { id, receiptHandle } of entries) if (!exceptIds.includes(id ?? '')) handles?.delete(receiptHandle ?? '');
  }

  /** SQS delivers what the process has after so many seconds, as it would when the visibility timeouts end. */
  async giveBack(caller: string, seconds: number, upstream: Upstream): Promise<void> {
    const handles = this.#byCaller.get(caller) ?? new Map<string, string>();
    this.#byCaller.delete(caller);
    const changes = [...handles].map(([handle, queueUrl]) => hideFor(seconds, handle, queueUrl, upstream));
    await Promise.allSettled(changes);
  }
}

/** SQS delivers the message again after so many seconds. */
export function hideFor(VisibilityTimeout: number, ReceiptHandle: string, QueueUrl: string, upstream: Upstream): Promise<unknown> {
  const headers = { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AmazonSQS.ChangeMessageVisibility' };
  return upstream.send(headers, JSON.stringify({ QueueUrl, ReceiptHandle, VisibilityTimeout }));
}
