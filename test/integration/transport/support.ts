import { randomUUID } from 'node:crypto';
import { GetQueueAttributesCommand, GetQueueUrlCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { SqsTransport, type SqsTransportOptions } from '../../../src/index.ts';
import { decodeStepResult, type StepResult } from '../../../src/wire/step-result.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { startTestSqs, type TestSqs } from '../../support/sqs-server.ts';
import { until } from '../local/queues.ts';

/** An SQS server for the tests of one file, and transports that are closed after each of them. */
export function localSqs() {
  let sqs: TestSqs | undefined;
  let sdk: SQSClient | undefined;
  const open: SqsTransport[] = [];

  beforeAll(async () => {
    sqs = await startTestSqs();
    sdk = new SQSClient(sqs.clientConfig);
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((transport) => transport.close({ timeoutMs: 1_000 })));
  });
  afterAll(async () => {
    sdk?.destroy();
    await sqs?.stop();
  });

  const running = () => {
    if (sqs === undefined || sdk === undefined) throw new Error('expected the SQS server to run');
    return { sqs, client: sdk };
  };
  return {
    get client(): SQSClient {
      return running().client;
    },
    get clientConfig(): TestSqs['clientConfig'] {
      return running().sqs.clientConfig;
    },
    requests: (action: string): number => running().sqs.requests()[action] ?? 0,
    /** A transport on the server, under a prefix of its own unless one is given. */
    transport(options: SqsTransportOptions = {}) {
      const logger = capturingLogger();
      const prefix = options.prefix ?? `t${randomUUID().slice(0, 8)}`;
      const { clientConfig } = running().sqs;
      const transport = new SqsTransport({ clientConfig, waitTimeSeconds: 1, autoCreate: true, logger, prefix, ...options });
      open.push(transport);
      return { transport, prefix, logger };
    },
    /** Waits until there is a queue of that name. */
    async queueUrl(name: string): Promise<string> {
      let url: string | undefined;
      await until(async () => {
        url = (await running().client.send(new GetQueueUrlCommand({ QueueName: name }))).QueueUrl;
      });
      if (url === undefined) throw new Error(`expected a queue ${name}`);
      return url;
    },
    async attributes(name: string): Promise<Record<string, string>> {
      const QueueUrl = await this.queueUrl(name);
      const answer = await running().client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }));
      return { ...answer.Attributes };
    },
    /** Takes results off a queue until there are so many. */
    async results(queueUrl: string, count: number): Promise<StepResult[]> {
      const results: StepResult[] = [];
      await until(async () => {
        const command = new ReceiveMessageCommand({
          QueueUrl: queueUrl,
          MaxNumberOfMessages: 10,
          WaitTimeSeconds: 1,
          VisibilityTimeout: 600,
        });
        const { Messages = [] } = await running().client.send(command);
        results.push(...Messages.map(({ Body = '' }) => decodeStepResult(Body)));
        if (results.length < count) throw new Error(`expected ${count} results, got ${results.length}`);
      });
      return results;
    },
  };
}
