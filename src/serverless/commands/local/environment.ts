import { LOCAL_CREDENTIALS, type LocalSqs } from '../../../local/embedded-sqs.ts';
import { START_RUN_QUEUE_URL } from '../../resources/environment.ts';
import type { CommandContext } from '../context.ts';

/** The local servers, as engine and handlers need to know them. */
export interface LocalServers {
  readonly sqs: Pick<LocalSqs, 'endpoint' | 'region'>;
  readonly prefix: string;
  readonly resultsQueueUrl: string;
  /** The queue for starts of runs, where the service has one. */
  readonly startRunQueueUrl?: string | undefined;
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

function serverEnvironment({ sqs, prefix, resultsQueueUrl, startRunQueueUrl, bucket }: LocalServers): Record<string, string> {
  return {
    AWS_ENDPOINT_URL_SQS: sqs.endpoint,
    // With an IP address as endpoint the SDK puts the bucket into the path, which is all that this server understands.
    ...(bucket === undefined ? {} : { AWS_ENDPOINT_URL_S3: sqs.endpoint }),
    AWS_REGION: sqs.region,
    DURABLE_PREFIX: prefix,
    DURABLE_RESULTS_QUEUE_URL: resultsQueueUrl,
    ...(startRunQueueUrl === undefined ? {} : { [START_RUN_QUEUE_URL]: startRunQueueUrl }),
    ...(bucket === undefined ? {} : { DURABLE_PAYLOAD_BUCKET: bucket }),
  };
}

const CREDENTIALS = { AWS_ACCESS_KEY_ID: LOCAL_CREDENTIALS.accessKeyId, AWS_SECRET_ACCESS_KEY: LOCAL_CREDENTIALS.secretAccessKey };

/** Lines to paste into the shell of the engine. */
export function engineEnvironment(servers: LocalServers): string[] {
  return Object.entries({ ...serverEnvironment(servers), ...CREDENTIALS }).map(([name, value]) => `export ${name}=${value}`);
}

/**
 * The whole environment of a function's process: this one's, the local servers', and its own of serverless.yml.
 * NODE_OPTIONS of both, as a developer's debugger comes by it.
 */
export function processEnvironment(
  env: CommandContext['env'],
  own: Readonly<Record<string, string>>,
  servers: Readonly<Record<string, string>>,
): Record<string, string | undefined> {
  const nodeOptions = [env['NODE_OPTIONS'], own['NODE_OPTIONS']].filter((given) => given).join(' ');
  return {
    ...env,
    ...own,
    ...servers,
    ...(nodeOptions === '' ? {} : { NODE_OPTIONS: nodeOptions }),
    // With it log lines would be JSON, as on Lambda.
    AWS_LAMBDA_FUNCTION_NAME: undefined,
  };
}
