import type {
  ChangeMessageVisibilityBatchRequest,
  CreateQueueRequest,
  DeleteMessageBatchRequest,
  GetQueueAttributesRequest,
  GetQueueUrlRequest,
  ReceiveMessageRequest,
  SendMessageBatchRequest,
} from '@aws-sdk/client-sqs';

/** The calls of SQS that this package makes, with their inputs as SQS has them. */
export interface OperationInputs {
  readonly SendMessageBatch: SendMessageBatchRequest;
  readonly ReceiveMessage: ReceiveMessageRequest;
  readonly DeleteMessageBatch: DeleteMessageBatchRequest;
  readonly ChangeMessageVisibilityBatch: ChangeMessageVisibilityBatchRequest;
  readonly GetQueueUrl: GetQueueUrlRequest;
  readonly CreateQueue: CreateQueueRequest;
  readonly GetQueueAttributes: GetQueueAttributesRequest;
}

export type Operation = keyof OperationInputs;

/** Those that a Lambda worker makes. */
export type WorkerOperation = 'SendMessageBatch' | 'ChangeMessageVisibilityBatch' | 'GetQueueUrl';

/** What SQS answered to a request that it accepted, unchecked. */
export type Answer = Readonly<Record<string, unknown>>;

/**
 * Raw calls of SQS, the seam between this package and the network. There are two implementations: {@link
 * sdkOperations}, over the AWS SDK, and {@link signedOperations}, by signed requests of our own.
 *
 * Both retry briefly (see retry.ts) and compare the checksums of what was sent and received. Both reject with
 * `SqsRefusal` where SQS itself refused, and otherwise with whatever stood in the way.
 */
export interface SqsOperations<Known extends Operation = Operation> {
  /** @param signal ends the call; its own, see `withinTime` */
  call<Name extends Known>(operation: Name, input: OperationInputs[Name], signal: AbortSignal): Promise<Answer>;
  /** Rejects, or gives an empty text, where none is configured. */
  region(): Promise<string>;
}

/** {@link SqsOperations} with connections that are to be closed. */
export interface ClosableOperations extends SqsOperations {
  /** Closes the connections that were opened here. */
  destroy(): void;
}
