import type { SQSClient, SQSClientConfig } from '@aws-sdk/client-sqs';
import { ConfigurationError } from '../errors.ts';
import { namedError } from '../named-error.ts';
import { resultSender } from '../sqs/api-calls.ts';
import { checkSent } from '../sqs/checksums.ts';
import { endpointOf, type SqsEndpoint } from '../sqs/endpoint.ts';
import { endpointOfEnvironment, environmentCredentials, environmentEndpoint } from '../sqs/environment.ts';
import { type Connections, HttpConnections, prepareConnections } from '../sqs/http-connections.ts';
import { type SdkCommands, sdkOperations } from '../sqs/sdk-operations.ts';
import type { Credentials } from '../sqs/signature.ts';
import { signedOperations } from '../sqs/signed-operations.ts';
import type { ResultSender } from '../sqs/sqs-api.ts';
import type { SqsOperations, WorkerOperation } from '../sqs/sqs-operations.ts';
import type { Timing } from '../time.ts';
import { isRecord } from '../wire/shape.ts';

/** How a user wants SQS to be reached. */
export interface SenderChoice {
  readonly client?: SQSClient | undefined;
  readonly clientConfig?: SQSClientConfig | undefined;
}

/** What signed requests of our own need to know of a {@link SenderChoice}. */
export interface SignedSettings {
  /** @default `AWS_ENDPOINT_URL_SQS`, `AWS_ENDPOINT_URL`, else the host of each queue URL */
  readonly endpoint?: string | undefined;
  /** For hosts that name no region. @default `AWS_REGION` */
  readonly region?: string | undefined;
  /** @default the environment's, read anew for each request */
  readonly credentials?: Credentials | undefined;
}

/**
 * Shorter than a function's default timeout, and generous for a request that takes some ten milliseconds: a connection
 * that died silently must leave time for the next try.
 */
const CONNECT_MS = 1_500;
const ANSWER_MS = 3_000;

/**
 * Opens SQS for a worker: by signed requests of our own, or over the AWS SDK where only that can do what was asked for.
 */
export async function openSender(choice: SenderChoice, env: NodeJS.ProcessEnv = process.env): Promise<ResultSender> {
  const settings = signedSettings(choice, env);
  return resultSender(settings === undefined ? await openSdk(choice, env) : openSigned(settings, env));
}

/**
 * Inside a Lambda runtime, loads what the first request needs while the function initialises: that time has a whole
 * processor, an invocation the share that its memory buys.
 */
export function prepareSender(
  choice: SenderChoice & { readonly resultsQueueUrl?: string | undefined },
  env: NodeJS.ProcessEnv = process.env,
): void {
  if (env['AWS_LAMBDA_RUNTIME_API'] === undefined) return;
  const settings = signedSettings(choice, env);
  if (settings !== undefined) prepareConnections(signedEndpoint(choice.resultsQueueUrl, settings, env).url);
}

/**
 * What signed requests need, or undefined where the SDK is needed: for a client, for a configuration of more than
 * region, endpoint and fixed credentials, for credentials that are not in the environment, and for what else the
 * environment asks of it.
 */
export function signedSettings({ client, clientConfig = {} }: SenderChoice, env: NodeJS.ProcessEnv): SignedSettings | undefined {
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

/** @param connections the network; a parameter, as is `timing`, so that tests need neither */
export function openSigned(
  settings: SignedSettings,
  env: NodeJS.ProcessEnv,
  connections: Connections = new HttpConnections(CONNECT_MS),
  timing?: Timing,
): SqsOperations<WorkerOperation> {
  return signedOperations({
    credentials() {
      const credentials = settings.credentials ?? environmentCredentials(env);
      if (credentials !== undefined) return credentials;
      throw namedError('CredentialsError', 'no AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment');
    },
    endpoint: (queueUrl) => signedEndpoint(queueUrl, settings, env),
    region: async () => regionOf(settings, env),
    checks: { SendMessageBatch: checkSent },
    answerMs: ANSWER_MS,
    connections,
    env,
    timing,
  });
}

/** Where a request goes, and the region it is signed for; that region is empty where nothing says it. */
function signedEndpoint(queueUrl: string | undefined, settings: SignedSettings, env: NodeJS.ProcessEnv): SqsEndpoint {
  return endpointOf(queueUrl, { endpoint: settings.endpoint ?? environmentEndpoint(env), region: regionOf(settings, env) });
}

function regionOf({ region }: SignedSettings, env: NodeJS.ProcessEnv): string {
  return region ?? env['AWS_REGION'] ?? '';
}

/**
 * The SDK is loaded here, and by its own name: a bundle that leaves it out (`external`) would otherwise load it at its
 * start, since bundlers move the static imports of a lazy module to the top of the file.
 */
async function openSdk({ client, clientConfig }: SenderChoice, env: NodeJS.ProcessEnv): Promise<SqsOperations<WorkerOperation>> {
  try {
    const sdk = await import('@aws-sdk/client-sqs');
    const commands: SdkCommands<WorkerOperation> = {
      SendMessageBatch: (to, input, options) => to.send(new sdk.SendMessageBatchCommand(input), options),
      ChangeMessageVisibilityBatch: (to, input, options) => to.send(new sdk.ChangeMessageVisibilityBatchCommand(input), options),
      GetQueueUrl: (to, input, options) => to.send(new sdk.GetQueueUrlCommand(input), options),
    };
    return sdkOperations({
      commands,
      exception: sdk.SQSServiceException,
      client: client ?? new sdk.SQSClient({ ...endpointOfEnvironment(env), ...clientConfig }),
    });
  } catch (error) {
    if (!isMissingSdk(error)) throw error;
    throw new ConfigurationError(
      'this needs the AWS SDK (a client, a clientConfig, or no credentials in the environment): install the package ' +
        '"@aws-sdk/client-sqs", or bundle it in; the nodejs runtimes of Lambda hold it',
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

/**
 * Whether these are the credentials themselves, for as long as the process lives, and not a function that gets them.
 */
function isFixed(credentials: unknown): credentials is Credentials {
  if (!isRecord(credentials)) return false;
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = credentials;
  return (
    typeof accessKeyId === 'string' && typeof secretAccessKey === 'string' && isTextOrNothing(sessionToken) && expiration === undefined
  );
}
