import { randomUUID } from 'node:crypto';
import type { ScheduledEvent } from 'aws-lambda';
import { LOCAL_ACCOUNT } from './sqs-event.ts';

export interface ScheduledEventOptions {
  /** @default 'us-east-1' */
  readonly region?: string | undefined;
  /** Name of the rule of EventBridge. @default 'tick' */
  readonly rule?: string | undefined;
}

/** What a schedule of EventBridge (`rate(1 minute)`) invokes a function with: to `sqsEngineHandler`, a tick. */
export function scheduledEvent({ region = 'us-east-1', rule = 'tick' }: ScheduledEventOptions = {}): ScheduledEvent<Record<string, never>> {
  return {
    version: '0',
    id: randomUUID(),
    'detail-type': 'Scheduled Event',
    source: 'aws.events',
    account: LOCAL_ACCOUNT,
    time: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
    region,
    resources: [`arn:aws:events:${region}:${LOCAL_ACCOUNT}:rule/${rule}`],
    detail: {},
  };
}
