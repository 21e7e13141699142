import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import { is } from '../../../options.ts';
import { isAwsHost } from '../../../topology/partitions.ts';
import { CommandError } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { localEndpointFile, readLocalEndpoint } from '../local/endpoint-file.ts';
import { flagOption, textOption } from '../options.ts';
import type { AdminLambda } from './admin-lambda.ts';
import type { AdminSqs } from './admin-sqs.ts';

/** Where `sls durable local` listens unless it is told another port. */
export const DEFAULT_LOCAL_PORT = 9324;

/** The options that say which SQS is meant; every command that talks to SQS has them. */
export const CONNECTION_OPTIONS = {
  local: { usage: 'Look at the queues of "sls durable local" instead of AWS', type: 'boolean' },
  endpoint: { usage: 'URL of the SQS to look at (default: AWS, or AWS_ENDPOINT_URL_SQS, or AWS_ENDPOINT_URL)', type: 'string' },
} as const;

/** An emulator's URL, or undefined: then AWS is meant. */
export function endpointOf(context: CommandContext): string | undefined {
  const { options, env, serviceDir } = context;
  const given = textOption(options, 'endpoint');
  if (given !== undefined && !is.url.accepts(given)) {
    throw new CommandError(`--endpoint: expected a URL with http:// or https://, got "${given}"`);
  }
  if (given !== undefined && flagOption(options, 'local')) throw new CommandError('expected --local or --endpoint, got both');
  if (flagOption(options, 'local')) return readLocalEndpoint(localEndpointFile(serviceDir)) ?? `http://127.0.0.1:${DEFAULT_LOCAL_PORT}`;
  return given ?? (env['AWS_ENDPOINT_URL_SQS'] || env['AWS_ENDPOINT_URL'] || undefined);
}

/** Opens the SQS that the options mean. The caller destroys it. */
export function openSqs(context: CommandContext): AdminSqs {
  return context.openSqs(clientSettings(context, endpointOf(context)));
}

/**
 * Opens the Lambda beside the SQS that the options mean, or says why there is none to ask. The caller destroys it.
 *
 * `AWS_ENDPOINT_URL_LAMBDA` says where it is; else `--endpoint` and `AWS_ENDPOINT_URL` are taken for both. An SQS that stands alone has
 * none, and the mappings of an account have nothing to do with it.
 */
export function openLambda(context: CommandContext): AdminLambda | string {
  const { env, options } = context;
  if (flagOption(options, 'local')) return '"sls durable local" has no Lambda';
  const endpoint = env['AWS_ENDPOINT_URL_LAMBDA'] || textOption(options, 'endpoint') || env['AWS_ENDPOINT_URL'] || undefined;
  const sqsOnly = env['AWS_ENDPOINT_URL_SQS'];
  if (endpoint === undefined && sqsOnly && !isAws(sqsOnly)) {
    return `AWS_ENDPOINT_URL_SQS names an SQS outside AWS; AWS_ENDPOINT_URL_LAMBDA says where its Lambda is`;
  }
  const lambda = context.openLambda(clientSettings(context, endpoint));
  return lambda ?? 'the package "@aws-sdk/client-lambda" is not installed';
}

function clientSettings(context: CommandContext, endpoint: string | undefined) {
  const credentials = endpoint === undefined || isAws(endpoint) ? context.credentials() : emulatorCredentials(context.env);
  return {
    region: context.region,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
  };
}

/** An endpoint of AWS's own, such as one within a VPC. */
function isAws(endpoint: string): boolean {
  return URL.canParse(endpoint) && isAwsHost(new URL(endpoint).hostname);
}

/** An emulator takes any; but where the environment has some, the endpoint may be a proxy to AWS. */
function emulatorCredentials(env: CommandContext['env']): SQSClientConfig['credentials'] | undefined {
  const given = env['AWS_ACCESS_KEY_ID'] || env['AWS_PROFILE'];
  return given ? undefined : { accessKeyId: 'local', secretAccessKey: 'local' };
}
