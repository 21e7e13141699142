import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import { CommandError } from '../command-error.ts';
import { loadSdk } from './load-sdk.ts';
import { boundedRequests, refusalOf } from './requests.ts';

const REQUESTS_AT_ONCE = 2;

/** The EventBridge calls of `sls durable doctor`. A request that fails rejects with {@link EventsRequestError}. */
export interface AdminEvents {
  /** The schedules by which EventBridge's rules invoke a function. */
  schedulesOf(functionArn: string): Promise<readonly { readonly enabled: boolean }[]>;
  destroy(): void;
}

export interface EventsSettings {
  readonly region: string;
  readonly endpoint?: string;
  readonly credentials?: NonNullable<SQSClientConfig['credentials']>;
}

/** EventBridge refused a request, or could not be reached. */
export class EventsRequestError extends CommandError {}

type EventsSdk = typeof import('@aws-sdk/client-eventbridge');

export function loadEventsSdk(serviceDir: string, toolFile: string | undefined): EventsSdk | undefined {
  return loadSdk<EventsSdk>((require) => require('@aws-sdk/client-eventbridge'), serviceDir, toolFile);
}

/** {@link AdminEvents} on the AWS SDK. */
export function sdkAdminEvents(sdk: EventsSdk, settings: EventsSettings): AdminEvents {
  const client = new sdk.EventBridgeClient(settings);
  const request = boundedRequests(
    REQUESTS_AT_ONCE,
    (operation, error) => new EventsRequestError(`EventBridge ${operation} failed: ${refusalOf(error)}`),
  );
  return {
    async schedulesOf(functionArn) {
      const names = await request('ListRuleNamesByTarget', () =>
        client.send(new sdk.ListRuleNamesByTargetCommand({ TargetArn: functionArn })),
      );
      const rules = await Promise.all(
        (names.RuleNames ?? []).map((Name) => request('DescribeRule', () => client.send(new sdk.DescribeRuleCommand({ Name })))),
      );
      return rules
        .filter(({ ScheduleExpression }) => ScheduleExpression !== undefined && ScheduleExpression !== '')
        .map(({ State }) => ({ enabled: State !== 'DISABLED' }));
    },
    destroy: () => client.destroy(),
  };
}
