import type { FilteredLogEvent } from '@aws-sdk/client-cloudwatch-logs';
import { CommandError } from '../command-error.ts';
import type { LambdaSettings } from './admin-lambda.ts';
import { loadSdk } from './load-sdk.ts';
import { refusalOf } from './requests.ts';

/** The one CloudWatch Logs call of `sls durable logs`. A request that fails rejects with {@link CommandError}. */
export interface AdminLogs {
  /**
   * The events of a log group from a time on, in the order of CloudWatch; undefined where there is no such group.
   * @param startTime milliseconds since the epoch
   * @param terms texts that an event must contain
   */
  events(logGroup: string, startTime: number, terms: readonly string[]): Promise<FilteredLogEvent[] | undefined>;
  destroy(): void;
}

type LogsSdk = typeof import('@aws-sdk/client-cloudwatch-logs');

export function loadLogsSdk(serviceDir: string, toolFile: string | undefined): LogsSdk | undefined {
  return loadSdk<LogsSdk>((require) => require('@aws-sdk/client-cloudwatch-logs'), serviceDir, toolFile);
}

/** {@link AdminLogs} on the AWS SDK. */
export function sdkAdminLogs(sdk: LogsSdk, settings: LambdaSettings): AdminLogs {
  const client = new sdk.CloudWatchLogsClient(settings);

  return {
    async events(logGroupName, startTime, terms) {
      const filterPattern = filterOf(terms);
      const events: FilteredLogEvent[] = [];
      let nextToken: string | undefined;
      do {
        const input = {
          logGroupName,
          startTime,
          ...(filterPattern === '' ? {} : { filterPattern }),
          ...(nextToken === undefined ? {} : { nextToken }),
        };
        try {
          const answer = await client.send(new sdk.FilterLogEventsCommand(input));
          events.push(...(answer.events ?? []));
          // A page may be empty and have a next one.
          nextToken = answer.nextToken;
        } catch (error) {
          if (error instanceof Error && error.name === 'ResourceNotFoundException') return undefined;
          throw new CommandError(`CloudWatch Logs FilterLogEvents of ${logGroupName} failed: ${refusalOf(error)}`);
        }
      } while (nextToken !== undefined);
      return events;
    },

    destroy: () => client.destroy(),
  };
}

/**
 * Ids are free text. What the syntax of a filter, or JSON, writes in another way is left to whoever reads the events.
 */
function filterOf(terms: readonly string[]): string {
  return terms
    .filter((term) => /^[\w.:@/+-]+$/.test(term))
    .map((term) => `"${term}"`)
    .join(' ');
}
