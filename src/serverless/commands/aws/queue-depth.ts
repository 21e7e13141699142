import type { AdminSqs } from './admin-sqs.ts';

/** Messages of a queue by state, as SQS counts them: approximately. */
export interface QueueDepth {
  readonly visible: number;
  readonly inFlight: number;
  readonly delayed: number;
}

export function queueDepth(attributes: Readonly<Record<string, string>>): QueueDepth {
  return {
    visible: Number(attributes['ApproximateNumberOfMessages'] ?? 0),
    inFlight: Number(attributes['ApproximateNumberOfMessagesNotVisible'] ?? 0),
    delayed: Number(attributes['ApproximateNumberOfMessagesDelayed'] ?? 0),
  };
}

/** All messages of a queue, whatever their state. */
export function messagesIn({ visible, inFlight, delayed }: QueueDepth): number {
  return visible + inFlight + delayed;
}

/** URL and depth of a queue; undefined where it does not exist. */
export async function findQueue(sqs: AdminSqs, name: string): Promise<{ readonly url: string; readonly depth: QueueDepth } | undefined> {
  const url = await sqs.findQueueUrl(name);
  return url === undefined ? undefined : { url, depth: queueDepth(await sqs.attributes(url)) };
}
