import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import { isRecord } from '../../wire/shape.ts';
import type { AdminSqs } from './admin-sqs.ts';
import { CommandError } from './command-error.ts';
import type { CommandContext } from './context.ts';
import { flagOption, textOption } from './options.ts';

/** Where `sls durable local` listens unless it is told another port. */
export const DEFAULT_LOCAL_PORT = 9324;

/** `sls durable local` leaves its endpoint here for the commands with `--local`. */
export function localEndpointFile(serviceDir: string): string {
  return join(serviceDir, '.serverless', 'durable-local.json');
}

/** The options that say which SQS is meant; every command that talks to SQS has them. */
export const CONNECTION_OPTIONS = {
  local: { usage: 'Look at the queues of "sls durable local" instead of AWS', type: 'boolean' },
  endpoint: { usage: 'URL of the SQS to look at (default: AWS, or AWS_ENDPOINT_URL_SQS)', type: 'string' },
} as const;

/** An emulator's URL, or undefined: then AWS is meant. */
export function endpointOf(context: CommandContext): string | undefined {
  const { options, env, serviceDir } = context;
  const given = textOption(options, 'endpoint');
  if (given !== undefined && !URL.canParse(given)) throw new CommandError(`--endpoint: expected a URL, got "${given}"`);
  if (given !== undefined && flagOption(options, 'local')) throw new CommandError('expected --local or --endpoint, got both');
  if (flagOption(options, 'local')) return localEndpoint(serviceDir);
  return given ?? (env['AWS_ENDPOINT_URL_SQS'] || env['AWS_ENDPOINT_URL'] || undefined);
}

/** Opens the SQS that the options mean. The caller destroys it. */
export function openSqs(context: CommandContext): AdminSqs {
  const endpoint = endpointOf(context);
  const credentials = endpoint === undefined ? context.credentials() : emulatorCredentials(context.env);
  return context.openSqs({
    region: context.region,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
  });
}

/** An emulator takes any; but where the environment has some, the endpoint may be a proxy to AWS. */
function emulatorCredentials(env: CommandContext['env']): SQSClientConfig['credentials'] | undefined {
  const given = env['AWS_ACCESS_KEY_ID'] || env['AWS_PROFILE'];
  return given ? undefined : { accessKeyId: 'local', secretAccessKey: 'local' };
}

function localEndpoint(serviceDir: string): string {
  let text: string;
  try {
    text = readFileSync(localEndpointFile(serviceDir), 'utf8');
  } catch {
    return `http://127.0.0.1:${DEFAULT_LOCAL_PORT}`;
  }
  const parsed: unknown = JSON.parse(text);
  const endpoint: unknown = isRecord(parsed) ? parsed['endpoint'] : undefined;
  if (typeof endpoint !== 'string')
    throw new CommandError(`expected an endpoint in ${localEndpointFile(serviceDir)}; start "sls durable local" again`);
  return endpoint;
}
