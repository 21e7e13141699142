import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import { BenchProcess } from './bench-process.ts';
import { type Fields, textOf } from './fields.ts';

/** Where an SQS server is; what other processes are told of it. */
export interface SqsAddress {
  readonly endpoint: string;
  readonly region: string;
}

/** The one SQS server of a section. */
export interface SqsServer extends SqsAddress {
  readonly clientConfig: ReturnType<typeof clientConfigOf>;
  /** Requests since it started. */
  requests(): Promise<number>;
  /** Milliseconds of processor time since it started. */
  cpuMs(): Promise<number>;
  stop(): Promise<void>;
}

export async function startSqsServer(nodeOptions: readonly string[] = []): Promise<SqsServer> {
  const server = await BenchProcess.start({ script: 'server.ts', nodeOptions });
  const address = addressOf(await server.call('open'));
  return {
    ...address,
    clientConfig: clientConfigOf(address),
    requests: async () => Object.values(await server.call('requests')).reduce<number>((sum, count) => sum + Number(count), 0),
    cpuMs: () => server.cpuMs(),
    stop: () => server.stop(),
  };
}

export function addressOf(fields: Fields): SqsAddress {
  return { endpoint: textOf(fields, 'endpoint'), region: textOf(fields, 'region') };
}

export function clientConfigOf({ endpoint, region }: SqsAddress) {
  return { endpoint, region, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } } satisfies SQSClientConfig;
}

/** What Lambda's environment would hold. */
export function lambdaEnvironment({ endpoint, region }: SqsAddress, resultsQueueUrl: string): Record<string, string> {
  return {
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_ENDPOINT_URL_SQS: endpoint,
    DURABLE_RESULTS_QUEUE_URL: resultsQueueUrl,
    // One line per step would measure the terminal. The peers write none.
    AWS_LAMBDA_LOG_LEVEL: 'WARN',
  };
}
