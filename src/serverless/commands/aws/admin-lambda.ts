import { existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { EventSourceMappingConfiguration } from '@aws-sdk/client-lambda';
import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import { CommandError } from '../command-error.ts';
import { bounded } from './bounded.ts';

/** Requests at the same time: Lambda takes 15 of most kinds per second of a whole account. */
const REQUESTS_AT_ONCE = 4;
/** Tries of one request; the SDK waits longer before each. */
const MAX_ATTEMPTS = 6;

/** The Lambda calls of `sls durable doctor`. A request that fails rejects with {@link LambdaRequestError}. */
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

export interface LambdaSettings {
  readonly region: string;
  readonly endpoint?: string;
  readonly credentials?: NonNullable<SQSClientConfig['credentials']>;
}

/** Lambda could not be asked. */
export class LambdaRequestError extends CommandError {}

type LambdaSdk = typeof import('@aws-sdk/client-lambda');

/**
 * The SDK's Lambda client, which nothing else here needs: the user's own, or the one that the deploy tool brings along.
 * @param toolFile the file that the deploy tool was started with
 */
export function loadLambdaSdk(serviceDir: string, toolFile: string | undefined): LambdaSdk | undefined {
  // A tool that is installed for the whole machine is started through a link.
  const tool = toolFile === undefined || !existsSync(toolFile) ? [] : [realpathSync(toolFile)];
  for (const from of [join(serviceDir, 'package.json'), ...tool]) {
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
export function sdkAdminLambda(sdk: LambdaSdk, settings: LambdaSettings): AdminLambda {
  const client = new sdk.LambdaClient({ ...settings, maxAttempts: MAX_ATTEMPTS });
  const inTurn = bounded(REQUESTS_AT_ONCE);

  async function call<T>(operation: string, send: () => Promise<T>): Promise<T> {
    try {
      return await inTurn(send);
    } catch (error) {
      throw requestError(operation, error);
    }
  }

  return {
    async mappingsOfQueue(queueArn) {
      const mappings: EventSourceMappingConfiguration[] = [];
      let marker: string | undefined;
      do {
        const input = { EventSourceArn: queueArn, ...(marker === undefined ? {} : { Marker: marker }) };
        const answer = await call('ListEventSourceMappings', () => client.send(new sdk.ListEventSourceMappingsCommand(input)));
        mappings.push(...(answer.EventSourceMappings ?? []));
        marker = answer.NextMarker;
      } while (marker !== undefined && marker !== '');
      return mappings;
    },

    async functionFacts(functionName) {
      const command = new sdk.GetFunctionConfigurationCommand({ FunctionName: functionName });
      const found = await call('GetFunctionConfiguration', () => client.send(command).catch(undefinedWhereMissing));
      if (found === undefined) return undefined;
      // Concurrency is reserved for a function, never for a version or an alias of it.
      const unqualified = functionName.split(':').slice(0, 7).join(':');
      const concurrency = await call('GetFunctionConcurrency', () =>
        client.send(new sdk.GetFunctionConcurrencyCommand({ FunctionName: unqualified })),
      );
      return {
        runtime: found.Runtime ?? '',
        timeoutSeconds: found.Timeout ?? 3,
        reservedConcurrency: concurrency.ReservedConcurrentExecutions ?? undefined,
        environment: found.Environment?.Variables ?? {},
      };
    },

    destroy: () => client.destroy(),
  };
}

function undefinedWhereMissing(error: unknown): undefined {
  if (error instanceof Error && error.name === 'ResourceNotFoundException') return undefined;
  throw error;
}

/** The service's own words name the action and resource that a policy lacks; an emulator without Lambda answers anything. */
function requestError(operation: string, error: unknown): LambdaRequestError {
  const said = error instanceof Error ? [error.name, error.message].filter((text) => text !== '').join(': ') : String(error);
  return new LambdaRequestError(`Lambda ${operation} failed: ${said}`, { cause: error });
}
