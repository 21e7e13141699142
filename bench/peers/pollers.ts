import { DeleteMessageBatchCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { SqsTransport } from 'durable-sqs-lambda/engine';
import { Consumer } from 'sqs-consumer';
import type { clientConfigOf } from '../processes/sqs-server.ts';

export interface PollerInput {
  readonly clientConfig: ReturnType<typeof clientConfigOf>;
  readonly queueUrl: string;
  /** Called with each result, parsed. */
  readonly onResult: (result: unknown) => void;
}

/** Begins to consume a queue: every message is parsed, handed over and deleted. Gives what ends it. */
export type StartPoller = (input: PollerInput) => () => Promise<void>;

/**
 * Ours is the engine's whole side of it: results are checked, ordered by run and handed over one by one. No engine is
 * attached that could tell when a run is ready, so `resultHoldMs: 0` says that every run is.
 */
const ours: StartPoller = ({ clientConfig, queueUrl, onResult }) => {
  const transport = new SqsTransport({ clientConfig, resultsQueueUrl: queueUrl, resultHoldMs: 0 });
  transport.onResult(async (result) => onResult(result));
  return () => transport.close();
};

const sqsConsumer: StartPoller = ({ clientConfig, queueUrl, onResult }) => {
  const sqs = new SQSClient(clientConfig);
  const consumer = Consumer.create({
    queueUrl,
    sqs,
    batchSize: 10,
    // What it returns is deleted.
    handleMessageBatch: async (messages) => {
      for (const { Body } of messages) onResult(JSON.parse(Body ?? 'null'));
      return messages;
    },
  });
  // Its last poll, which `stop` aborts, is reported here.
  consumer.on('error', () => undefined);
  consumer.start();
  return async () => {
    consumer.stop({ abort: true });
    sqs.destroy();
  };
};

/** Receive ten, delete ten, and again. */
const sdkLoop: StartPoller = ({ clientConfig, queueUrl, onResult }) => {
  const sqs = new SQSClient(clientConfig);
  const stopped = new AbortController();
  const loop = async () => {
    while (!stopped.signal.aborted) {
      const receive = new ReceiveMessageCommand({ QueueUrl: queueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 20 });
      const { Messages = [] } = await sqs.send(receive, { abortSignal: stopped.signal });
      for (const { Body } of Messages) onResult(JSON.parse(Body ?? 'null'));
      const Entries = Messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
      if (Entries.length > 0) await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries }));
    }
  };
  const ended = loop().catch((error: unknown) => {
    if (!stopped.signal.aborted) throw error;
  });
  return async () => {
    stopped.abort();
    await ended;
    sqs.destroy();
  };
};

export const POLLERS: Readonly<Record<string, StartPoller>> = { ours, 'sqs-consumer': sqsConsumer, 'sdk-loop': sdkLoop };
