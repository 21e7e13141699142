import { SQSClient, type SQSClientConfig } from '@aws-sdk/client-sqs';
import { sdkApi } from './sdk-api.ts';
import { environmentEndpoint } from './signed-environment.ts';
import type { SqsApi } from './sqs-api.ts';

export interface ClientOptions {
  /** An SQS client to use; stays the caller's and is not destroyed. */
  readonly client?: SQSClient | undefined;
  /** Configuration for clients of our own, where no `client` is given. */
  readonly clientConfig?: SQSClientConfig | undefined;
}

export interface OpenedClients {
  readonly api: SqsApi;
  /** Closes the connections of those clients that we made. */
  destroy(): void;
}

/** Opens SQS with long polls on connections of their own. */
export function openClients({ client, clientConfig = {} }: ClientOptions): OpenedClients {
  const config = { ...endpointOfEnvironment(process.env), ...clientConfig };
  const main = client ?? new SQSClient(config);
  let poll: SQSClient | undefined;
  const api = sdkApi({
    client: main,
    // Made by the first receive: a Lambda worker only sends, and each client is time of its cold start.
    get pollClient() {
      poll ??= client === undefined ? new SQSClient(config) : separateConnections(client);
      return poll;
    },
  });
  return {
    api,
    destroy() {
      if (client === undefined) main.destroy();
      if (poll !== client) poll?.destroy();
    },
  };
}

/**
 * The endpoint that AWS's own environment variables name, made explicit: the SDK reads them too, but then sends to the host of the
 * queue URL all the same, which for an emulator may not resolve.
 * @see https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
 */
function endpointOfEnvironment(env: NodeJS.ProcessEnv): Pick<SQSClientConfig, 'endpoint'> {
  const endpoint = environmentEndpoint(env);
  return endpoint === undefined ? {} : { endpoint };
}

/**
 * A client configured as `client` is, on a connection pool of its own.
 *
 * The SDK's default pool has 50 sockets; long polls that fill it would stall every send. A request handler that is not the
 * SDK's default, or that was given its own agents (a proxy, say), knows better than we do: then the client itself is used.
 * An agent for plain HTTP is not seen before its first request: it is used for all calls but long polls.
 */
export function separateConnections(client: SQSClient): SQSClient {
  if (!hasDefaultConnections(client)) return client;
  const { region, credentials, endpoint, maxAttempts, tls, useFipsEndpoint, useDualstackEndpoint, useQueueUrlAsEndpoint } = client.config;
  return new SQSClient({
    region,
    credentials,
    maxAttempts,
    tls,
    useFipsEndpoint,
    useDualstackEndpoint,
    useQueueUrlAsEndpoint,
    ...(endpoint === undefined ? {} : { endpoint }),
  });
}

function hasDefaultConnections(client: SQSClient): boolean {
  const handler: unknown = client.config?.requestHandler;
  if (typeof handler !== 'object' || handler === null || handler.constructor.name !== 'NodeHttpHandler') return false;
  // Private to the SDK, true where it was given agents. Where a release lacks it, sharing the client is the safe answer.
  return Reflect.get(handler, 'externalAgent') === false;
}
