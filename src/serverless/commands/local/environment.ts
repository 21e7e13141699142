import type { LocalSqs } from '../../../local/embedded-sqs.ts';
import type { CommandContext } from '../context.ts';

/** What engine and handlers need to know of the local servers. */
export interface LocalPlace {
  readonly sqs: Pick<LocalSqs, 'endpoint' | 'region'>;
  readonly prefix: string;
  readonly resultsQueueUrl: string;
  /** Bucket of large payloads, where the service has one. */
  readonly bucket: string | undefined;
}

/** Variables that a handler finds besides its own of serverless.yml. */
export function handlerEnvironment({ env }: CommandContext, place: LocalPlace): Record<string, string> {
  return {
    ...placeEnvironment(place),
    // Results must reach the engine here, and failures this queue, whatever a replay before this was told.
    DURABLE_REPLAY: '',
    DURABLE_LOCAL: '1',
    // The local SQS takes any; but a handler that also calls the real AWS must find the real ones.
    ...(env['AWS_ACCESS_KEY_ID'] || env['AWS_PROFILE'] ? {} : LOCAL_CREDENTIALS),
  };
}

function placeEnvironment({ sqs, prefix, resultsQueueUrl, bucket }: LocalPlace): Record<string, string> {
  return {
    AWS_ENDPOINT_URL_SQS: sqs.endpoint,
    // An endpoint that is an IP address makes the SDK put the bucket into the path, as this server wants it.
    ...(bucket === undefined ? {} : { AWS_ENDPOINT_URL_S3: sqs.endpoint }),
    AWS_REGION: sqs.region,
    DURABLE_PREFIX: prefix,
    DURABLE_RESULTS_QUEUE_URL: resultsQueueUrl,
    ...(bucket === undefined ? {} : { DURABLE_PAYLOAD_BUCKET: bucket }),
  };
}

const LOCAL_CREDENTIALS = { AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' };

/** Lines for the shell that the engine is started from. */
export function engineEnvironment(place: LocalPlace): string[] {
  return Object.entries({ ...placeEnvironment(place), ...LOCAL_CREDENTIALS }).map(([name, value]) => `export ${name}=${value}`);
}

/**
 * Runs something with variables set in this process, and puts back what was there. Handlers read most of theirs while they are loaded;
 * all functions share one process, so only one may load at a time.
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

/** Variables that two functions give different values: code that reads one while it runs sees the last. */
export function clashes(environments: readonly Readonly<Record<string, string>>[]): string[] {
  const seen = new Map<string, Set<string>>();
  for (const [name, value] of environments.flatMap((environment) => Object.entries(environment))) {
    seen.set(name, (seen.get(name) ?? new Set()).add(value));
  }
  return [...seen].filter(([, values]) => values.size > 1).map(([name]) => name);
}
