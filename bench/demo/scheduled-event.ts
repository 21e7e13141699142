import { randomUUID } from 'node:crypto';
import type { ScheduledEvent } from 'aws-lambda';

/** What EventBridge invokes a function with. */
export function scheduledEvent(): ScheduledEvent<Record<string, never>> {
  return {
    id: randomUUID(),
    version: '0',
    account: '000000000000',
    time: new Date().toISOString(),
    region: 'us-east-1',
    resources: ['arn:aws:events:us-east-1:000000000000:rule/engine-tick'],
    source: 'aws.events',
    'detail-type': 'Scheduled Event',
    detail: {},
  };
}
