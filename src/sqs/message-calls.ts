import {
  ChangeMessageVisibilityBatchCommand,
  type ChangeMessageVisibilityBatchRequest,
  DeleteMessageBatchCommand,
  type DeleteMessageBatchRequest,
  type Message,
  ReceiveMessageCommand,
  type ReceiveMessageRequest,
  SendMessageBatchCommand,
  type SendMessageBatchRequest,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { BatchAnswer } from './entry-outcomes.ts';

/** What ends a call, and the time limit of the SDK's request handler. */
export interface CallLimits {
  readonly requestTimeout: number;
  readonly abortSignal: AbortSignal;
}

/**
 * Limits of a call that `abortSignal` ends after `timeoutMs`. The handler's own limit comes a second later, so that it says nothing: by
 * default it only logs a warning. It is set all the same, since a client may come with one that is shorter than a long poll.
 */
export function callLimits(timeoutMs: number, abortSignal: AbortSignal = AbortSignal.timeout(timeoutMs)): CallLimits {
  return { requestTimeout: timeoutMs + 1_000, abortSignal };
}

/** The calls that every message pays for, with inputs and answers as SQS has them. They reject with errors shaped as the SDK's are. */
export interface MessageCalls {
  receiveMessage(input: ReceiveMessageRequest, limits: CallLimits): Promise<{ readonly Messages?: Message[] | undefined }>;
  sendMessageBatch(input: SendMessageBatchRequest, limits: CallLimits): Promise<BatchAnswer>;
  deleteMessageBatch(input: DeleteMessageBatchRequest, limits: CallLimits): Promise<BatchAnswer>;
  changeMessageVisibilityBatch(input: ChangeMessageVisibilityBatchRequest, limits: CallLimits): Promise<BatchAnswer>;
}

export interface SdkClients {
  /** Sends, deletes and the rest. */
  readonly client: SQSClient;
  /** Long polls, which hold their connection for up to 20 s each: on a pool of their own they never stall a send. */
  readonly pollClient?: SQSClient;
}

/** {@link MessageCalls} through all of the AWS SDK: its middlewares, its retries, its request handler. */
export function sdkCalls(clients: SdkClients): MessageCalls {
  const { client } = clients;
  return {
    receiveMessage: (input, limits) => (clients.pollClient ?? client).send(new ReceiveMessageCommand(input), limits),
    sendMessageBatch: (input, limits) => client.send(new SendMessageBatchCommand(input), limits),
    deleteMessageBatch: (input, limits) => client.send(new DeleteMessageBatchCommand(input), limits),
    changeMessageVisibilityBatch: (input, limits) => client.send(new ChangeMessageVisibilityBatchCommand(input), limits),
  };
}
