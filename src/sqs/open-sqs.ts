import {
  ChangeMessageVisibilityBatchCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
  type SQSClientConfig,
  SQSServiceException,
} from '@aws-sdk/client-sqs';
import { ConfigurationError } from '../errors.ts';
import { aUrl } from '../options.ts';
import { checkReceived, checkSent } from './checksums.ts';
import { endpointOf } from './endpoint.ts';
import { endpointOfEnvironment } from './environment.ts';
import { type Connections, HttpConnections } from './http-connections.ts';
import { dropIdleConnections, type SdkCommands, sdkOperations } from './sdk-operations.ts';
import { signedOperations } from './signed-operations.ts';
import type { ClosableOperations, Operation } from './sqs-operations.ts';

export interface ClientOptions {
  /** An SQS client to use; stays the caller's and is not destroyed. */
  readonly client?: SQSClient | undefined;
  /** Configuration for clients of our own, where no `client` is given. */
  readonly clientConfig?: SQSClientConfig | undefined;
}

const COMMANDS: SdkCommands<Operation> = {
  SendMessageBatch: (client, input, options) => client.send(new SendMessageBatchCommand(input), options),
  ReceiveMessage: (client, input, options) => client.send(new ReceiveMessageCommand(input), options),
  DeleteMessageBatch: (client, input, options) => client.send(new DeleteMessageBatchCommand(input), options),
  ChangeMessageVisibilityBatch: (client, input, options) => client.send(new ChangeMessageVisibilityBatchCommand(input), options),
  GetQueueUrl: (client, input, options) => client.send(new GetQueueUrlCommand(input), options),
  CreateQueue: (client, input, options) => client.send(new CreateQueueCommand(input), options),
  GetQueueAttributes: (client, input, options) => client.send(new GetQueueAttributesCommand(input), options),
};

/**
 * A long poll keeps its connection for up to 20 s: with the SDK's 50, the polls of whoever serves more queues would
 * wait for each other.
 */
const UNLIMITED = { httpAgent: { maxSockets: Number.POSITIVE_INFINITY }, httpsAgent: { maxSockets: Number.POSITIVE_INFINITY } };
const CONNECT_MS = 5_000;
/**
 * Configuration under which signed requests of our own come out as the SDK's do: it says whom to ask and who asks, not
 * how.
 */
const HANDLED_HERE: ReadonlySet<string> = new Set(['region', 'endpoint', 'credentials']);

/**
 * Opens SQS for an engine: through the SDK where a client was given, or configured in more than whom to ask and as
 * whom. Else by signed requests, with the region and credentials that a client of the SDK finds; only a queue without a
 * URL is asked for through the SDK, which knows all the places where the address of SQS may be configured.
 * @param connections the network of signed requests; a parameter so that tests need none
 * @throws ConfigurationError for an endpoint without a scheme.
 */
export function openSqs(
  { client, clientConfig = {} }: ClientOptions,
  connections: Connections = new HttpConnections(CONNECT_MS),
): ClosableOperations {
  if (client !== undefined) return clientOperations(client, () => separateConnections(client));
  const config = { ...endpointOfEnvironment(process.env), ...clientConfig };
  checkEndpoint(config.endpoint);
  const own = new SQSClient(config);
  const pollClient = () => new SQSClient({ ...config, requestHandler: config.requestHandler ?? UNLIMITED });
  const sdk = clientOperations(own, pollClient, () => own.destroy());
  if (!isPlain(clientConfig)) return sdk;
  // Now, as the SDK does: later it puts there what the environment or a profile says, which does not win over the host
  // of a queue URL.
  const { credentials, region, endpoint } = own.config;
  const signed = signedOperations({
    credentials,
    region,
    endpoint: async (queueUrl) => endpointOf(queueUrl, { endpoint: textOf(await endpoint?.()), region: await region() }),
    checks: { SendMessageBatch: checkSent, ReceiveMessage: checkReceived },
    connections,
  });
  return {
    call: (operation, input, signal) => ('QueueUrl' in input ? signed : sdk).call(operation, input, signal),
    region: () => signed.region(),
    destroy() {
      connections.destroy();
      sdk.destroy();
    },
  };
}

/**
 * Long polls hold their connection for up to 20 s each: on a client of their own they never stall a send.
 * @param makePollClient called at the first receive: who only sends does without
 * @param destroy closes those clients that are ours
 */
function clientOperations(client: SQSClient, makePollClient: () => SQSClient, destroy?: () => void): ClosableOperations {
  const operationsOf = (of: SQSClient) => ({
    client: of,
    operations: sdkOperations({ commands: COMMANDS, exception: SQSServiceException, client: of }),
  });
  const main = operationsOf(client);
  let poll: typeof main | undefined;
  return {
    async call(operation, input, signal) {
      if (operation === 'ReceiveMessage') poll ??= operationsOf(makePollClient());
      const used = (operation === 'ReceiveMessage' && poll) || main;
      try {
        return await used.operations.call(operation, input, signal);
      } catch (error) {
        // Most often it got no answer in its time.
        if (signal.aborted) dropIdleConnections(used.client);
        throw error;
      }
    },
    region: () => main.operations.region(),
    destroy() {
      destroy?.();
      if (poll?.client !== client) poll?.client.destroy();
    },
  };
}

/** Whether calls under this configuration come out the same without the SDK's own way to SQS. */
function isPlain(clientConfig: object): boolean {
  return Object.entries(clientConfig).every(([name, value]) => value === undefined || HANDLED_HERE.has(name));
}

/** The SDK takes `localhost:9324` for a protocol, asks some other host, and its error names nothing. */
function checkEndpoint(endpoint: SQSClientConfig['endpoint']): void {
  if (typeof endpoint !== 'string' || aUrl.accepts(endpoint)) return;
  throw new ConfigurationError(
    `expected the endpoint of SQS (clientConfig.endpoint, AWS_ENDPOINT_URL_SQS or AWS_ENDPOINT_URL) to be a URL with http:// or https://, got "${endpoint}"`,
  );
}

type Endpoint = Awaited<ReturnType<NonNullable<SQSClient['config']['endpoint']>>>;

function textOf(endpoint: Endpoint | undefined): string | undefined {
  if (endpoint === undefined) return undefined;
  const { protocol, hostname, port, path } = endpoint;
  return `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}`;
}

/**
 * `client` itself, its middlewares, retries and all, but on a connection pool of its own.
 *
 * The SDK's default pool has 50 sockets; long polls that fill it would stall every send. A request handler that is not
 * the SDK's default, or that was given its own agents (a proxy, say), knows better than we do, and so does whoever gave
 * the client another `send`: then the client itself is used. An agent for plain HTTP is not seen before its first
 * request: it is used for all calls but long polls.
 */
export function separateConnections(client: SQSClient): SQSClient {
  if (!hasDefaultConnections(client) || client.send !== SQSClient.prototype.send) return client;
  // The SDK has no copy of a client, and one made of its configuration would do without the middlewares that were added
  // to it.
  const { requestHandler } = new SQSClient({ region: client.config.region, requestHandler: UNLIMITED }).config;
  const separate: SQSClient = Object.create(client, { config: { value: { ...client.config, requestHandler } } });
  return separate;
}

function hasDefaultConnections(client: SQSClient): boolean {
  const handler: unknown = client.config?.requestHandler;
  if (typeof handler !== 'object' || handler === null || handler.constructor.name !== 'NodeHttpHandler') return false;
  // Private to the SDK, true where it was given agents. Where a release lacks it, sharing the client is the safe
  // answer.
  return Reflect.get(handler, 'externalAgent') === false;
}
