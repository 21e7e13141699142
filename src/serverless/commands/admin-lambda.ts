import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { EventSourceMappingConfiguration } from '@aws-sdk/client-lambda';
import type { SQSClientConfig } from '@aws-sdk/client-sqs';

/** The Lambda calls of `sls durable doctor`. */
export interface AdminLambda {
  /** Mappings that read a queue, of whatever function. */
  mappingsOfQueue(queueArn: string): Promise<EventSourceMappingConfiguration[]>;
  /** Undefined where there is no such function. */
  functionFacts(functionName: string): Promise<LiveFunction | undefined>;
  destroy(): void;
}

export interface LiveFunction {
  readonly runtime: string;
  readonly timeoutSeconds: number;
  readonly reservedConcurrency: number | undefined;
  readonly environment: Readonly<Record<string, string>>;
}

type LambdaSdk = typeof import('@aws-sdk/client-lambda');

/**
 * The SDK's Lambda client, which nothing else here needs: the user's own, or the one that the deploy tool brings along.
 * @param toolFile the file that the deploy tool was started with
 */
export function loadLambdaSdk(serviceDir: string, toolFile: string | undefined): LambdaSdk | undefined {
  for (const from of [join(serviceDir, 'package.json'), ...(toolFile === undefined ? [] : [toolFile])]) {
    try {
      const sdk: LambdaSdk = createRequire(from)('@aws-sdk/client-lambda');
      return sdk;
    } catch {
      // The next place may have it.
    }
  }
  return undefined;
}

/** {@link AdminLambda} on the AWS SDK. */
export function sdkAdminLambda(sdk: LambdaSdk, region: string, credentials: SQSClientConfig['credentials'] | undefined): AdminLambda {
  const client = new sdk.LambdaClient({ region, ...(credentials === undefined ? {} : { credentials }) });
  return {
    async mappingsOfQueue(queueArn) {
      const mappings: EventSourceMappingConfiguration[] = [];
      let marker: string | undefined;
      do {
        const input = { EventSourceArn: queueArn, ...(marker === undefined ? {} : { Marker: marker }) };
        const answer = await client.send(new sdk.ListEventSourceMappingsCommand(input));
        mappings.push(...(answer.EventSourceMappings ?? []));
        marker = answer.NextMarker;
      } while (marker !== undefined && marker !== '');
      return mappings;
    },

    async functionFacts(functionName) {
      try {
        const found = await client.send(new sdk.GetFunctionConfigurationCommand({ FunctionName: functionName }));
        const concurrency = await client.send(new sdk.GetFunctionConcurrencyCommand({ FunctionName: functionName }));
        return {
          runtime: found.Runtime ?? '',
          timeoutSeconds: found.Timeout ?? 3,
          reservedConcurrency: concurrency.ReservedConcurrentExecutions,
          environment: found.Environment?.Variables ?? {},
        };
      } catch (error) {
        if (error instanceof Error && error.name === 'ResourceNotFoundException') return undefined;
        throw error;
      }
    },

    destroy: () => client.destroy(),
  };
}
