import { ConfigurationError } from '../errors.ts';
import { prepareConnections } from '../sqs/http-connections.ts';
import { type SdkSenderOptions, sdkSender } from '../sqs/sdk-sender.ts';
import { environmentCredentials } from '../sqs/signed-environment.ts';
import type { Credentials } from '../sqs/signed-request.ts';
import { type SignedSenderOptions, signedEndpoint, signedSender } from '../sqs/signed-sender.ts';
import type { ResultSender } from '../sqs/sqs-api.ts';
import { isRecord } from '../wire/shape.ts';

/** Opens SQS for a worker: by signed requests of our own, or over the AWS SDK where only that can do what was asked for. */
export async function openSender(choice: SdkSenderOptions, env: NodeJS.ProcessEnv = process.env): Promise<ResultSender> {
  const options = signedSenderOptions(choice, env);
  return options === undefined ? openSdk(choice) : signedSender(options);
}

/**
 * Inside a Lambda runtime, loads what the first request needs while the function initialises: that time has a whole processor, an
 * invocation the share that its memory buys.
 */
export function prepareSender(
  choice: SdkSenderOptions & { readonly resultsQueueUrl?: string | undefined },
  env: NodeJS.ProcessEnv = process.env,
): void {
  if (env['AWS_LAMBDA_RUNTIME_API'] === undefined) return;
  const options = signedSenderOptions(choice, env);
  if (options !== undefined) prepareConnections(signedEndpoint(choice.resultsQueueUrl, options, env).url);
}

/**
 * What our own sender needs, or undefined where the SDK is needed: for a client, for a configuration of more than region, endpoint and
 * fixed credentials, for credentials that are not in the environment, and for what else the environment asks of it.
 */
export function signedSenderOptions(
  { client, clientConfig = {} }: SdkSenderOptions,
  env: NodeJS.ProcessEnv,
): SignedSenderOptions | undefined {
  const { region, endpoint, credentials, ...rest } = clientConfig;
  if (client !== undefined || Object.values(rest).some((value) => value !== undefined)) return undefined;
  if (!isTextOrNothing(region) || !isTextOrNothing(endpoint)) return undefined;
  if (region === undefined && !env['AWS_REGION']) return undefined;
  if (env['AWS_USE_FIPS_ENDPOINT'] === 'true' || env['AWS_USE_DUALSTACK_ENDPOINT'] === 'true') return undefined;
  if (credentials !== undefined) return isFixed(credentials) ? { region, endpoint, credentials } : undefined;
  // The SDK passes over the environment's credentials where a profile is set.
  const elsewhere = env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] || env['AWS_PROFILE'];
  return elsewhere || environmentCredentials(env) === undefined ? undefined : { region, endpoint };
}

async function openSdk(choice: SdkSenderOptions): Promise<ResultSender> {
  try {
    return await sdkSender(choice);
  } catch (error) {
    if (!isMissingSdk(error)) throw error;
    throw new ConfigurationError(
      'results are sent over the AWS SDK here (a client, a clientConfig, or no credentials in the environment), and the package ' +
        '"@aws-sdk/client-sqs" is not there. Lambda\'s nodejs runtimes hold it; elsewhere install it, or bundle it in.',
      { cause: error },
    );
  }
}

function isMissingSdk(error: unknown): boolean {
  if (!(error instanceof Error && 'code' in error)) return false;
  return (error.code === 'ERR_MODULE_NOT_FOUND' || error.code === 'MODULE_NOT_FOUND') && error.message.includes('@aws-sdk/');
}

function isTextOrNothing(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string';
}

/** Whether these are the credentials themselves, for as long as the process lives, and not a function that gets them. */
function isFixed(credentials: unknown): credentials is Credentials {
  if (!isRecord(credentials)) return false;
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = credentials;
  return (
    typeof accessKeyId === 'string' && typeof secretAccessKey === 'string' && isTextOrNothing(sessionToken) && expiration === undefined
  );
}
