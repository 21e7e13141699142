import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import { LOCAL_CREDENTIALS } from '../../../local/embedded-sqs.ts';
import { aUrl } from '../../../options.ts';
import { isAwsHost } from '../../../topology/partitions.ts';
import type { CommandOption } from '../command.ts';
import { CommandError } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { localEndpoint } from '../local/endpoint-file.ts';
import { flagOption, textOption } from '../options.ts';
import type { AdminEvents } from './admin-events.ts';
import type { AdminLambda } from './admin-lambda.ts';
import type { AdminLogs } from './admin-logs.ts';
import type { AdminSqs } from './admin-sqs.ts';
import type { AdminStack } from './admin-stack.ts';

/** The options that choose the SQS; every command that talks to SQS has them. */
export const CONNECTION_OPTIONS = {
  local: { usage: 'Use the queues of "sls durable local" instead of AWS', type: 'boolean' },
  endpoint: { usage: 'URL of the SQS (default: AWS_ENDPOINT_URL_SQS, else AWS_ENDPOINT_URL, else AWS)', type: 'string' },
} as const satisfies Readonly<Record<string, CommandOption>>;

/** URL of the SQS that the options choose; undefined: AWS. */
export function sqsEndpoint(context: CommandContext): string | undefined {
  const { options, env, serviceDir } = context;
  const given = textOption(options, 'endpoint');
  if (given !== undefined && !aUrl.accepts(given)) {
    throw new CommandError(`--endpoint: expected a URL with http:// or https://, got "${given}"`);
  }
  if (given !== undefined && flagOption(options, 'local')) throw new CommandError('expected --local or --endpoint, got both');
  if (flagOption(options, 'local')) return localEndpoint(serviceDir);
  return given ?? (env['AWS_ENDPOINT_URL_SQS'] || env['AWS_ENDPOINT_URL'] || undefined);
}

/** Connects to the SQS that the options choose. The caller destroys it. */
export function openSqs(context: CommandContext): AdminSqs {
  return context.openSqs(clientSettings(context, sqsEndpoint(context)));
}

/** A Lambda to ask, or the reason why there is none. */
export type LambdaConnection = { readonly lambda: AdminLambda } | { readonly none: string };

/**
 * Connects to the Lambda that belongs to the chosen SQS, or says why there is none. The caller destroys it.
 *
 * Its endpoint is `AWS_ENDPOINT_URL_LAMBDA`, else `--endpoint`, else `AWS_ENDPOINT_URL`. Where only
 * `AWS_ENDPOINT_URL_SQS` names an emulator there is no Lambda: the mappings of an AWS account do not read the
 * emulator's queues.
 */
export function openLambda(context: CommandContext): LambdaConnection {
  const beside = besideSqs(context, 'Lambda', 'AWS_ENDPOINT_URL_LAMBDA');
  if ('none' in beside) return beside;
  const lambda = context.openLambda(clientSettings(context, beside.endpoint));
  return lambda === undefined ? { none: 'the package "@aws-sdk/client-lambda" is not installed' } : { lambda };
}

/**
 * Connects to the CloudWatch Logs beside the chosen SQS. The caller destroys it.
 * @throws CommandError where there is none
 */
export function openLogs(context: CommandContext): AdminLogs {
  const { env } = context;
  const endpoint = env['AWS_ENDPOINT_URL_CLOUDWATCH_LOGS'] || env['AWS_ENDPOINT_URL'] || undefined;
  const sqsOnly = env['AWS_ENDPOINT_URL_SQS'];
  if (endpoint === undefined && sqsOnly && !isAws(sqsOnly)) {
    throw new CommandError(
      'AWS_ENDPOINT_URL_SQS names an SQS outside AWS, which has no CloudWatch Logs. "sls durable local" prints the lines of its functions itself; ' +
        'for those on AWS use a shell without its export lines, or set AWS_ENDPOINT_URL_CLOUDWATCH_LOGS',
    );
  }
  const logs = context.openLogs(clientSettings(context, endpoint));
  if (logs === undefined) throw new CommandError('the package "@aws-sdk/client-cloudwatch-logs" is not installed');
  return logs;
}

/** An EventBridge to ask, or the reason why there is none. */
export type EventsConnection = { readonly events: AdminEvents } | { readonly none: string };

/** Connects to the EventBridge beside the chosen SQS, by the rules of {@link openLambda}. The caller destroys it. */
export function openEvents(context: CommandContext): EventsConnection {
  const beside = besideSqs(context, 'EventBridge', 'AWS_ENDPOINT_URL_EVENTBRIDGE');
  if ('none' in beside) return beside;
  const events = context.openEvents(clientSettings(context, beside.endpoint));
  return events === undefined ? { none: 'the package "@aws-sdk/client-eventbridge" is not installed' } : { events };
}

/** The endpoint of a service beside the chosen SQS (undefined: AWS), or the reason why there is none to ask. */
function besideSqs(
  { env, options }: CommandContext,
  service: string,
  variable: string,
): { readonly endpoint: string | undefined } | { readonly none: string } {
  if (flagOption(options, 'local')) return { none: `"sls durable local" has no ${service}` };
  const endpoint = env[variable] || textOption(options, 'endpoint') || env['AWS_ENDPOINT_URL'] || undefined;
  const sqsOnly = env['AWS_ENDPOINT_URL_SQS'];
  if (endpoint === undefined && sqsOnly && !isAws(sqsOnly)) {
    return { none: `AWS_ENDPOINT_URL_SQS names an SQS outside AWS; ${variable} says where its ${service} is` };
  }
  return { endpoint };
}

/** The stack of the service, or the reason why it cannot be asked. */
export type StackConnection = { readonly stack: AdminStack } | { readonly none: string };

/**
 * Connects to the CloudFormation beside the chosen SQS, which has the stack that the deploy tool deploys. The caller
 * destroys it.
 */
export function openStack(context: CommandContext): StackConnection {
  const { env, options, stackName } = context;
  const endpoint = env['AWS_ENDPOINT_URL_CLOUDFORMATION'] || env['AWS_ENDPOINT_URL'] || undefined;
  const sqsOnly = textOption(options, 'endpoint') ?? env['AWS_ENDPOINT_URL_SQS'];
  if (flagOption(options, 'local') || (endpoint === undefined && sqsOnly && !isAws(sqsOnly))) {
    return { none: 'an SQS outside AWS has no stack; AWS_ENDPOINT_URL_CLOUDFORMATION says where its CloudFormation is' };
  }
  const stack = context.openStack({ stackName, ...clientSettings(context, endpoint) });
  return stack === undefined ? { none: 'the package "@aws-sdk/client-cloudformation" is not installed' } : { stack };
}

function clientSettings(context: CommandContext, endpoint: string | undefined) {
  const credentials = endpoint === undefined || isAws(endpoint) ? context.credentials() : emulatorCredentials(context.env);
  return {
    region: context.region,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
  };
}

/** Whether an endpoint is AWS's own: a regional one, or one inside a VPC. */
function isAws(endpoint: string): boolean {
  return URL.canParse(endpoint) && isAwsHost(new URL(endpoint).hostname);
}

/** An emulator accepts any. Where the environment has credentials they are used: the endpoint may be a proxy to AWS. */
function emulatorCredentials(env: CommandContext['env']): SQSClientConfig['credentials'] | undefined {
  const given = env['AWS_ACCESS_KEY_ID'] || env['AWS_PROFILE'];
  return given ? undefined : LOCAL_CREDENTIALS;
}
