import type { SQSClient, SQSServiceException } from '@aws-sdk/client-sqs';
import { isRecord } from '../wire/shape.ts';
import { QUERY_ERROR, SqsRefusal, unknownAnswer } from './request-errors.ts';
import type { Operation, OperationInputs, SqsOperations } from './sqs-operations.ts';

export interface SendOptions {
  readonly abortSignal: AbortSignal;
  readonly requestTimeout: number;
}

/**
 * How each operation is sent: by its command of the SDK, which an engine loads at its start and a worker at its first
 * call.
 */
export type SdkCommands<Known extends Operation> = {
  readonly [Name in Known]: (client: SQSClient, input: OperationInputs[Name], options: SendOptions) => Promise<object>;
};

export interface SdkOptions<Known extends Operation> {
  readonly commands: SdkCommands<Known>;
  readonly exception: typeof SQSServiceException;
  readonly client: SQSClient;
}

/** {@link SqsOperations} through all of the AWS SDK: its middlewares, its retries, its request handler. */
export function sdkOperations<Known extends Operation>({ commands, exception, client }: SdkOptions<Known>): SqsOperations<Known> {
  return {
    region: () => client.config.region(),
    async call(operation, input, signal) {
      try {
        // The signal is the limit. A client may come with one of its own that is shorter than a long poll.
        return { ...(await commands[operation](client, input, { abortSignal: signal, requestTimeout: 0 })) };
      } catch (error) {
        throw sdkFailure(error, exception);
      }
    },
  };
}

/**
 * Closes the idle connections of a client of the SDK, after a call that got no answer in its time. What is on the way
 * may have forgotten them all at once and without a word; each of them would then cost one more call all of its time.
 */
export function dropIdleConnections({ config }: { readonly config: object }): void {
  const handler: unknown = 'requestHandler' in config ? config.requestHandler : undefined;
  if (!isRecord(handler) || typeof handler['httpHandlerConfigs'] !== 'function') return;
  const settings: unknown = handler['httpHandlerConfigs']();
  for (const agent of isRecord(settings) ? [settings['httpAgent'], settings['httpsAgent']] : []) {
    const idle = isRecord(agent) && isRecord(agent['freeSockets']) ? Object.values(agent['freeSockets']).flat() : [];
    for (const socket of idle) if (isRecord(socket) && typeof socket['destroy'] === 'function') socket['destroy']();
  }
}

/**
 * An error of the SDK: SQS's own refusal, an answer that is not SQS's, or, where there was no answer, the error itself.
 *
 * The SDK makes an exception of SQS of every answer with an error status, whoever gave it, and passes on what the
 * providers of credentials throw. What SQS says has an error code, in the answer or in a header as the older protocol
 * spells it. A stand-in for the client throws such exceptions without an answer.
 */
export function sdkFailure(error: unknown, exception: typeof SQSServiceException): unknown {
  if (!isRecord(error) || !isRecord(error['$metadata'])) return error;
  const { name, $metadata: metadata, $response: response } = error;
  const { httpStatusCode: status, requestId } = metadata;
  if (typeof status !== 'number') return error;
  const headers = isRecord(response) && isRecord(response['headers']) ? response['headers'] : { [QUERY_ERROR]: '' };
  const isSqs = error instanceof exception;
  if (isSqs && ('__type' in error || QUERY_ERROR in headers)) return new SqsRefusal(String(name), status, requestId);
  return unknownAnswer(status < 300 ? 'UnreadableAnswer' : '$fault' in error && !isSqs ? String(name) : `Http${status}`, status);
}
