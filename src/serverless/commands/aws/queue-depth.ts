import type { AdminSqs } from './admin-sqs.ts';

/** Messages of a queue, as SQS counts them: approximately. */
export interface Depth {
  readonly visible: number;
  readonly inFlight: number;
  readonly delayed: number;
}

export function depthOf(attributes: Readonly<Record<string, string>>): Depth {
  return {
    visible: Number(attributes['ApproximateNumberOfMessages'] ?? 0),
    inFlight: Number(attributes['ApproximateNumberOfMessagesNotVisible'] ?? 0),
    delayed: Number(attributes['ApproximateNumberOfMessagesDelayed'] ?? 0),
  };
}

/** URL and depth of a queue by name, or undefined where it does not exist. */
export async function lookAt(sqs: AdminSqs, name: string): Promise<{ readonly url: string; readonly depth: Depth } | undefined> {
  const url = await sqs.findQueueUrl(name);
  return url === undefined ? undefined : { url, depth: depthOf(await sqs.attributes(url)) };
}
