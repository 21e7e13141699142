import type { LocalSqs } from '../../local/embedded-sqs.ts';
import type { CommandContext } from './context.ts';

/** Variables that a handler finds besides its own of serverless.yml. */
export function handlerEnvironment(
  { env }: CommandContext,
  sqs: Pick<LocalSqs, 'endpoint' | 'region'>,
  prefix: string,
  resultsQueueUrl: string,
): Record<string, string> {
  return {
    AWS_REGION: sqs.region,
    AWS_ENDPOINT_URL_SQS: sqs.endpoint,
    DURABLE_PREFIX: prefix,
    DURABLE_RESULTS_QUEUE_URL: resultsQueueUrl,
    // Results must reach the engine here, whatever a replay before this was told.
    DURABLE_REPLAY: 'send',
    // The local SQS takes any; but a handler that also calls the real AWS must find the real ones.
    ...(env['AWS_ACCESS_KEY_ID'] || env['AWS_PROFILE'] ? {} : LOCAL_CREDENTIALS),
  };
}

const LOCAL_CREDENTIALS = { AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' };

/** Lines for the shell that the engine is started from. */
export function engineEnvironment(sqs: Pick<LocalSqs, 'endpoint' | 'region'>, prefix: string, resultsQueueUrl: string): string[] {
  const variables = {
    AWS_ENDPOINT_URL_SQS: sqs.endpoint,
    AWS_REGION: sqs.region,
    ...LOCAL_CREDENTIALS,
    DURABLE_PREFIX: prefix,
    DURABLE_RESULTS_QUEUE_URL: resultsQueueUrl,
  };
  return Object.entries(variables).map(([name, value]) => `export ${name}=${value}`);
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
