import { LOCAL_CREDENTIALS, type LocalSqs } from '../../../local/embedded-sqs.ts';
import type { CommandContext } from '../context.ts';

/** The local servers, as engine and handlers need to know them. */
export interface LocalServers {
  readonly sqs: Pick<LocalSqs, 'endpoint' | 'region'>;
  readonly prefix: string;
  readonly resultsQueueUrl: string;
  /** The payload bucket, where the service has one. */
  readonly bucket: string | undefined;
}

/** Variables that every handler gets besides its own of serverless.yml. */
export function handlerEnvironment({ env }: CommandContext, servers: LocalServers): Record<string, string> {
  return {
    ...serverEnvironment(servers),
    // A shell that has replayed events may still say `print`: then no result would reach the engine.
    DURABLE_REPLAY: '',
    DURABLE_LOCAL: '1',
    // The local SQS accepts any credentials; a handler that also calls AWS needs the real ones.
    ...(env['AWS_ACCESS_KEY_ID'] || env['AWS_PROFILE'] ? {} : CREDENTIALS),
  };
}

function serverEnvironment({ sqs, prefix, resultsQueueUrl, bucket }: LocalServers): Record<string, string> {
  return {
    AWS_ENDPOINT_URL_SQS: sqs.endpoint,
    // With an IP address as endpoint the SDK puts the bucket into the path, which is all that this server understands.
    ...(bucket === undefined ? {} : { AWS_ENDPOINT_URL_S3: sqs.endpoint }),
    AWS_REGION: sqs.region,
    DURABLE_PREFIX: prefix,
    DURABLE_RESULTS_QUEUE_URL: resultsQueueUrl,
    ...(bucket === undefined ? {} : { DURABLE_PAYLOAD_BUCKET: bucket }),
  };
}

const CREDENTIALS = { AWS_ACCESS_KEY_ID: LOCAL_CREDENTIALS.accessKeyId, AWS_SECRET_ACCESS_KEY: LOCAL_CREDENTIALS.secretAccessKey };

/** Lines to paste into the shell of the engine. */
export function engineEnvironment(servers: LocalServers): string[] {
  return Object.entries({ ...serverEnvironment(servers), ...CREDENTIALS }).map(([name, value]) => `export ${name}=${value}`);
}

/**
 * Sets variables in this process while `run` runs, and restores them. Handlers read most of theirs while they load; all functions share
 * one process, so only one may load at a time.
 */
export async function withEnvironment<T>(variables: Readonly<Record<string, string>>, run: () => Promise<T>): Promise<T> {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  try {
    return await run();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

/** Variables to which functions give different values: code that reads one while it runs sees the last. */
export function clashes(environments: readonly Readonly<Record<string, string>>[]): string[] {
  const seen = new Map<string, Set<string>>();
  for (const [name, value] of environments.flatMap((environment) => Object.entries(environment))) {
    seen.set(name, (seen.get(name) ?? new Set()).add(value));
  }
  return [...seen].filter(([, values]) => values.size > 1).map(([name]) => name);
}
