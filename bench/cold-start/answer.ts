import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { type RemoteTask, runStepHandler } from '@dudousxd/nestjs-durable-core';
import type { SQSRecord } from 'aws-lambda';
import { chargeCard } from './charge.ts';

const client = new SQSClient({ endpoint: process.env['AWS_ENDPOINT_URL_SQS'] ?? '' });

/** By hand: parse, run, send with the AWS SDK. */
export async function answer(record: SQSRecord): Promise<void> {
  const task: RemoteTask = JSON.parse(record.body);
  const result = await runStepHandler(task, (input) => chargeCard(input, task.stepId));
  await client.send(new SendMessageCommand({ QueueUrl: process.env['DURABLE_RESULTS_QUEUE_URL'], MessageBody: JSON.stringify(result) }));
}
