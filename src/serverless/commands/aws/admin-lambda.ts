import type { EventSourceMappingConfiguration } from '@aws-sdk/client-lambda';
import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import { CommandError } from '../command-error.ts';
import { loadSdk } from './load-sdk.ts';
import { boundedRequests, refusalOf } from './requests.ts';

/** Requests at the same time: Lambda accepts 15 a second of most kinds from a whole account. */
const REQUESTS_AT_ONCE = 4;
/** Tries of one request; the SDK waits longer before each. */
const MAX_ATTEMPTS = 6;

/** The Lambda calls of `sls durable doctor`. A request that fails rejects with {@link LambdaRequestError}. */
export interface AdminLambda {
  /** All event source mappings of a queue, whichever function they invoke. */
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
  readonly inVpc?: boolean;
}

export interface LambdaSettings {
  readonly region: string;
  readonly endpoint?: string;
  readonly credentials?: NonNullable<SQSClientConfig['credentials']>;
}

/** Lambda refused a request, or could not be reached. */
export class LambdaRequestError extends CommandError {}

type LambdaSdk = typeof import('@aws-sdk/client-lambda');

export function loadLambdaSdk(serviceDir: string, toolFile: string | undefined): LambdaSdk | undefined {
  return loadSdk<LambdaSdk>((require) => require('@aws-sdk/client-lambda'), serviceDir, toolFile);
}

/** {@link AdminLambda} on the AWS SDK. */
export function sdkAdminLambda(sdk: LambdaSdk, settings: LambdaSettings): AdminLambda {
  const client = new sdk.LambdaClient({ ...settings, maxAttempts: MAX_ATTEMPTS });
  const request = boundedRequests(REQUESTS_AT_ONCE, lambdaRequestError);

  return {
    async mappingsOfQueue(queueArn) {
      const mappings: EventSourceMappingConfiguration[] = [];
      let marker: string | undefined;
      do {
        const input = { EventSourceArn: queueArn, ...(marker === undefined ? {} : { Marker: marker }) };
        const answer = await request('ListEventSourceMappings', () => client.send(new sdk.ListEventSourceMappingsCommand(input)));
        mappings.push(...(answer.EventSourceMappings ?? []));
        marker = answer.NextMarker;
      } while (marker !== undefined && marker !== '');
      return mappings;
    },

    async functionFacts(functionName) {
      const command = new sdk.GetFunctionConfigurationCommand({ FunctionName: functionName });
      const found = await request('GetFunctionConfiguration', () => client.send(command).catch(undefinedWhereMissing));
      if (found === undefined) return undefined;
      // Concurrency is reserved for the function, not for a version or an alias: those are the eighth part of an ARN.
      const unqualified = functionName.split(':').slice(0, 7).join(':');
      const concurrency = await request('GetFunctionConcurrency', () =>
        client.send(new sdk.GetFunctionConcurrencyCommand({ FunctionName: unqualified })),
      );
      return {
        runtime: found.Runtime ?? '',
        timeoutSeconds: found.Timeout ?? 3,
        reservedConcurrency: concurrency.ReservedConcurrentExecutions ?? undefined,
        environment: found.Environment?.Variables ?? {},
        inVpc: (found.VpcConfig?.SubnetIds?.length ?? 0) > 0,
      };
    },

    destroy: () => client.destroy(),
  };
}

function undefinedWhereMissing(error: unknown): undefined {
  if (error instanceof Error && error.name === 'ResourceNotFoundException') return undefined;
  throw error;
}

function lambdaRequestError(operation: string, error: unknown): LambdaRequestError {
  return new LambdaRequestError(`Lambda ${operation} failed: ${refusalOf(error)}`);
}
