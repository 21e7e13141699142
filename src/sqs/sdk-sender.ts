import type { SQSClient, SQSClientConfig } from '@aws-sdk/client-sqs';
import { callError, resultSender } from './result-sender.ts';
import { environmentEndpoint } from './signed-environment.ts';
import type { ResultSender } from './sqs-api.ts';

export interface SdkSenderOptions {
  readonly client?: SQSClient | undefined;
  /** Configuration of the client that is made where none is given. */
  readonly clientConfig?: SQSClientConfig | undefined;
}

/** All of the SDK's own tries together. A connection that died silently would otherwise hold a call for many minutes. */
const CALL_TIMEOUT_MS = 30_000;

/**
 * {@link ResultSender} on the AWS SDK.
 *
 * The SDK is loaded here, and by its own name: a bundle that leaves it out (`external`) would otherwise load it at its start, since
 * bundlers move the static imports of a lazy module to the top of the file.
 */
export async function sdkSender({ client, clientConfig }: SdkSenderOptions): Promise<ResultSender> {
  const sdk = await import('@aws-sdk/client-sqs');
  const sqs = client ?? new sdk.SQSClient({ ...endpointConfig(process.env), ...clientConfig });
  // A region may be missing where an endpoint is given; this is only for messages, so it never throws.
  const region = async () => {
    try {
      return await sqs.config.region();
    } catch {
      return '(none)';
    }
  };
  async function call<T>(operation: string, queue: string | undefined, send: (options: object) => Promise<T>): Promise<T> {
    try {
      return await send({ requestTimeout: CALL_TIMEOUT_MS + 1_000, abortSignal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
    } catch (error) {
      throw callError(operation, queue ?? '', await region(), error);
    }
  }
  return resultSender({
    region,
    sendMessageBatch: (input) => {
      return call('SendMessageBatch', input.QueueUrl, (options) => sqs.send(new sdk.SendMessageBatchCommand(input), options));
    },
    changeMessageVisibilityBatch: (input) => {
      const command = new sdk.ChangeMessageVisibilityBatchCommand(input);
      return call('ChangeMessageVisibilityBatch', input.QueueUrl, (options) => sqs.send(command, options));
    },
    getQueueUrl: (input) => call('GetQueueUrl', input.QueueName, (options) => sqs.send(new sdk.GetQueueUrlCommand(input), options)),
  });
}

/** The SDK reads these variables too, but then sends to the host of the queue URL all the same. */
function endpointConfig(env: NodeJS.ProcessEnv): Pick<SQSClientConfig, 'endpoint'> {
  const endpoint = environmentEndpoint(env);
  return endpoint === undefined ? {} : { endpoint };
}
