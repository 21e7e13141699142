import { SQSClient, type SQSClientConfig } from '@aws-sdk/client-sqs';
import { ConfigurationError } from '../errors.ts';
import { is } from '../options.ts';
import { directCalls, isPlain } from './direct-calls.ts';
import type { MessageCalls } from './message-calls.ts';
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

export interface OpenedCalls {
  readonly client: SQSClient;
  /** Absent where messages go through the SDK. */
  readonly calls: MessageCalls | undefined;
  /** For long polls through the SDK. */
  pollClient(): SQSClient;
  destroy(): void;
}

/** A long poll keeps its connection for up to 20 s: with the SDK's 50, the polls of whoever serves more queues would wait for each other. */
const UNLIMITED = { httpAgent: { maxSockets: Number.POSITIVE_INFINITY }, httpsAgent: { maxSockets: Number.POSITIVE_INFINITY } };

/** Opens SQS with long polls on connections of their own. */
export function openClients(options: ClientOptions): OpenedClients {
  const { client, calls, pollClient, destroy } = openCalls(options);
  const clients = {
    client,
    get pollClient() {
      return pollClient();
    },
  };
  return { api: calls === undefined ? sdkApi(clients) : sdkApi(clients, calls), destroy };
}

/**
 * A client of the SDK, and the way that messages take: through the SDK too where it was given to us or configured in more than whom to ask
 * and as whom, else by requests of our own with what the client found out.
 * @throws ConfigurationError for an endpoint without a scheme.
 */
export function openCalls({ client, clientConfig = {} }: ClientOptions): OpenedCalls {
  const config = { ...endpointOfEnvironment(process.env), ...clientConfig };
  if (client === undefined) checkEndpoint(config.endpoint);
  const main = client ?? new SQSClient(config);
  const direct = client === undefined && isPlain(clientConfig) ? directCalls(main) : undefined;
  let poll: SQSClient | undefined;
  return {
    client: main,
    calls: direct,
    // Made by the first receive: who only sends does without.
    pollClient() {
      poll ??=
        client === undefined
          ? new SQSClient({ ...config, requestHandler: config.requestHandler ?? UNLIMITED })
          : separateConnections(client);
      return poll;
    },
    destroy() {
      direct?.destroy();
      if (client === undefined) main.destroy();
      if (poll !== client) poll?.destroy();
    },
  };
}

/** The SDK takes `localhost:9324` for a protocol, asks some other host, and its error names nothing. */
function checkEndpoint(endpoint: SQSClientConfig['endpoint']): void {
  if (typeof endpoint !== 'string' || is.url.accepts(endpoint)) return;
  throw new ConfigurationError(
    `expected the endpoint of SQS (clientConfig.endpoint, AWS_ENDPOINT_URL_SQS or AWS_ENDPOINT_URL) to be a URL with http:// or https://, got "${endpoint}"`,
  );
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
 * `client` itself, its middlewares, retries and all, but on a connection pool of its own.
 *
 * The SDK's default pool has 50 sockets; long polls that fill it would stall every send. A request handler that is not the
 * SDK's default, or that was given its own agents (a proxy, say), knows better than we do, and so does whoever
 * gave the client another `send`: then the client itself is used. An agent for plain HTTP is not seen before its first request: it is
 * used for all calls but long polls.
 */
export function separateConnections(client: SQSClient): SQSClient {
  if (!hasDefaultConnections(client) || client.send !== SQSClient.prototype.send) return client;
  // The SDK has no copy of a client, and one made of its configuration would do without the middlewares that were added to it.
  const { requestHandler } = new SQSClient({ region: client.config.region, requestHandler: UNLIMITED }).config;
  const separate: SQSClient = Object.create(client, { config: { value: { ...client.config, requestHandler } } });
  return separate;
}

function hasDefaultConnections(client: SQSClient): boolean {
  const handler: unknown = client.config?.requestHandler;
  if (typeof handler !== 'object' || handler === null || handler.constructor.name !== 'NodeHttpHandler') return false;
  // Private to the SDK, true where it was given agents. Where a release lacks it, sharing the client is the safe answer.
  return Reflect.get(handler, 'externalAgent') === false;
}
