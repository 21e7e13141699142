/** One poller, in a process of its own. */
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { POLLERS } from '../peers/pollers.ts';
import { type Fields, numberOf, textOf } from './fields.ts';
import { serveCommands } from './serve-commands.ts';
import { addressOf, clientConfigOf } from './sqs-server.ts';

const DEPTH = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const;

/** Consumes a queue that was filled before; the time until its last message is deleted. */
async function drain(fields: Fields): Promise<Fields> {
  const clientConfig = clientConfigOf(addressOf(fields));
  const queueUrl = textOf(fields, 'queueUrl');
  const expected = numberOf(fields, 'results');
  const start = POLLERS[textOf(fields, 'variant')];
  if (start === undefined) throw new RangeError(`there is no poller "${textOf(fields, 'variant')}"`);
  const watcher = new SQSClient(clientConfig);
  const handedOver = Promise.withResolvers<void>();
  let results = 0;

  const startedAt = performance.now();
  const stop = start({
    clientConfig,
    queueUrl,
    onResult: () => {
      results += 1;
      if (results === expected) handedOver.resolve();
    },
  });
  await handedOver.promise;
  // Deletes may still be on their way, and they are part of it. The watcher asks at the end only.
  while (!(await isEmpty(watcher, queueUrl)));
  const milliseconds = performance.now() - startedAt;
  await stop();
  watcher.destroy();
  return { milliseconds, results };
}

async function isEmpty(client: SQSClient, QueueUrl: string): Promise<boolean> {
  const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...DEPTH] }));
  return DEPTH.every((name) => Attributes?.[name] === '0');
}

serveCommands({ drain });
