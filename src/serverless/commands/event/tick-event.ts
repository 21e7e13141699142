import { randomUUID } from 'node:crypto';
import { LOCAL_ACCOUNT } from '../../../local/sqs-event.ts';
import { partitionOf } from '../../../topology/partitions.ts';

/**
 * The event that a rule of EventBridge makes of its schedule.
 * @see https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html
 */
export function tickEvent(region: string, now: number) {
  const [partition] = partitionOf(region);
  return {
    version: '0',
    id: randomUUID(),
    'detail-type': 'Scheduled Event',
    source: 'aws.events',
    account: LOCAL_ACCOUNT,
    time: new Date(now).toISOString().replace(/\.\d+Z$/, 'Z'),
    region,
    resources: [`arn:${partition}:events:${region}:${LOCAL_ACCOUNT}:rule/made-by-serverless-durable-event`],
    detail: {},
  };
}
