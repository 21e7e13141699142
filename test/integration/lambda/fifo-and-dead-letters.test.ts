import { randomUUID } from 'node:crypto';
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sqsDeadLetterHandler, sqsStepHandler } from '../../../src/lambda/index.ts';
import { LocalEventSourceMapping, type LocalSqs, type SqsLambdaHandler, startLocalSqs } from '../../../src/local/index.ts';
import { deadLetterQueueName, parkedQueueName, resultsQueueName, tasksQueueName } from '../../../src/topology/queue-names.ts';
import { encodeRemoteTask } from '../../../src/wire/remote-task.ts';
import { decodeStepResult, type StepResult } from '../../../src/wire/step-result.ts';
import { silentLogger } from '../../support/local-cloud.ts';
import { taskFor } from '../../support/sqs-records.ts';
import { depth, until } from '../local/queues.ts';

const TOKEN = 'step';

let sqs: LocalSqs;
let client: SQSClient;
const mappings: LocalEventSourceMapping[] = [];

beforeEach(async () => {
  sqs = await startLocalSqs();
  client = new SQSClient(sqs.clientConfig);
});
afterEach(async () => {
  await Promise.all(mappings.splice(0).map((mapping) => mapping.stop()));
  client.destroy();
  await sqs.stop();
});

async function createQueue(name: string, visibilitySeconds: number, redrive?: { to: string; maxReceiveCount: number }): Promise<string> {
  const { QueueUrl } = await client.send(
    new CreateQueueCommand({
      QueueName: name,
      Attributes: {
        VisibilityTimeout: String(visibilitySeconds),
        ...(name.endsWith('.fifo') ? { FifoQueue: 'true' } : {}),
        ...(redrive === undefined
          ? {}
          : { RedrivePolicy: JSON.stringify({ deadLetterTargetArn: await arnOf(redrive.to), maxReceiveCount: redrive.maxReceiveCount }) }),
      },
    }),
  );
  if (QueueUrl === undefined) throw new Error('expected a queue URL, got none');
  return QueueUrl;
}

async function arnOf(queueUrl: string): Promise<string> {
  const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['QueueArn'] }));
  return Attributes?.['QueueArn'] ?? '';
}

/** The four queues of one step, with the redrive policies that the plugin gives them, but few receives. */
async function queuesOf(fifo: boolean, { visibilitySeconds = 1, maxReceiveCount = 2 } = {}) {
  const options = { fifo };
  const parked = await createQueue(parkedQueueName(TOKEN, undefined, options), 30);
  const deadLetters = await createQueue(deadLetterQueueName(TOKEN, undefined, options), 1, { to: parked, maxReceiveCount: 10 });
  const tasks = await createQueue(tasksQueueName(TOKEN, undefined, options), visibilitySeconds, { to: deadLetters, maxReceiveCount });
  const results = await createQueue(resultsQueueName(undefined, options), 30);
  return { parked, deadLetters, tasks, results };
}

function map(queueUrl: string, handler: SqsLambdaHandler, timeoutMs = 5_000): void {
  const mapping = new LocalEventSourceMapping({
    clientConfig: sqs.clientConfig,
    queueUrl,
    handler,
    functionName: 'f',
    timeoutMs,
    logger: silentLogger,
  });
  mapping.start();
  mappings.push(mapping);
}

async function send(queueUrl: string, body: string, group?: string, attributes?: Record<string, string>): Promise<void> {
  const MessageAttributes = Object.fromEntries(
    Object.entries(attributes ?? {}).map(([name, value]) => [name, { DataType: 'String', StringValue: value }]),
  );
  await client.send(
    new SendMessageCommand({
      QueueUrl: queueUrl,
      MessageBody: body,
      MessageAttributes,
      ...(group === undefined ? {} : { MessageGroupId: group, MessageDeduplicationId: randomUUID() }),
    }),
  );
}

const handlerOptions = () => ({ clientConfig: sqs.clientConfig, logger: silentLogger });

/** All messages of a queue; they stay hidden, so each is seen once. */
async function drain(queueUrl: string, into: Message[]): Promise<void> {
  const { Messages = [] } = await client.send(
    new ReceiveMessageCommand({
      QueueUrl: queueUrl,
      MaxNumberOfMessages: 10,
      MessageSystemAttributeNames: ['All'],
      MessageAttributeNames: ['All'],
    }),
  );
  into.push(...Messages);
}

describe('on FIFO queues', () => {
  it('tasks of a run stay in order through failures, and results come in the group of their run', async () => {
    const queues = await queuesOf(true, { maxReceiveCount: 100 });
    const order: string[] = [];
    const seen = new Set<string>();
    const handler = sqsStepHandler(
      TOKEN,
      async (_input: unknown, step) => {
        const { stepId } = step.task;
        // The first delivery of every third task is out of time, and given back.
        if (step.task.seq % 3 === 1 && !seen.has(stepId)) {
          seen.add(stepId);
          await new Promise(() => {});
        }
        order.push(stepId);
        return stepId;
      },
      { ...handlerOptions(), onDeadline: 'redeliver', deadlineReserveMs: 100 },
    );
    const runs = ['r-1', 'r-2', 'r-3'];
    for (let seq = 0; seq < 5; seq += 1) {
      for (const runId of runs) await send(queues.tasks, encodeRemoteTask(taskFor({ runId, seq, name: TOKEN })), runId);
    }
    map(queues.tasks, handler, 400);

    const results: Message[] = [];
    await until(async () => {
      expect(order.length).toBeGreaterThanOrEqual(15);
      expect(await depth(client, queues.tasks)).toBe(0);
    });
    for (const runId of runs) {
      const expected = [0, 1, 2, 3, 4].map((seq) => `${runId}:${seq}`);
      expect(order.filter((stepId) => stepId.startsWith(runId))).toEqual(expected);
    }
    await until(async () => {
      // One of a group at a time, until it is deleted: the emulator hides the rest.
      await drain(queues.results, results);
      expect(new Set(results.map(({ Attributes }) => Attributes?.['MessageGroupId']))).toEqual(new Set(runs));
    });
    for (const { Body, Attributes } of results) {
      const { runId, stepId } = decodeStepResult(Body ?? '');
      expect(Attributes?.['MessageGroupId']).toBe(runId);
      // The first of each run is the first of its steps.
      expect(stepId).toBe(`${runId}:0`);
    }
  });

  it('poison is parked with its group and attributes, and lets its group go on', async () => {
    const queues = await queuesOf(true);
    const ran: string[] = [];
    const handler = sqsStepHandler(TOKEN, (_input: unknown, step) => void ran.push(step.task.stepId), handlerOptions());
    await send(queues.tasks, '{"runId":', 'r-1', { tenant: 'acme' });
    await send(queues.tasks, encodeRemoteTask(taskFor({ runId: 'r-1', seq: 1, name: TOKEN })), 'r-1');
    await send(queues.tasks, encodeRemoteTask(taskFor({ runId: 'r-2', seq: 1, name: TOKEN })), 'r-2');
    map(queues.tasks, handler);
    map(queues.deadLetters, sqsDeadLetterHandler(handlerOptions()));

    const parked: Message[] = [];
    await until(async () => {
      await drain(queues.parked, parked);
      expect(parked).toHaveLength(1);
      expect(ran.toSorted()).toEqual(['r-1:1', 'r-2:1']);
      expect(await depth(client, queues.deadLetters)).toBe(0);
    });
    expect(parked[0]).toMatchObject({
      Body: '{"runId":',
      Attributes: { MessageGroupId: 'r-1' },
      MessageAttributes: {
        tenant: { StringValue: 'acme' },
        'durable-parked': { StringValue: expect.stringContaining('not a RemoteTask') },
      },
    });
  });
});

describe('on standard queues', () => {
  it('a task that no delivery brings to a result is parked, and the engine is told', async () => {
    const queues = await queuesOf(false);
    const handler = sqsStepHandler(TOKEN, () => new Promise(() => {}), {
      ...handlerOptions(),
      onDeadline: 'redeliver',
      deadlineReserveMs: 100,
    });
    await send(queues.tasks, encodeRemoteTask(taskFor({ runId: 'r-1', seq: 2, name: TOKEN })), undefined, { tenant: 'acme' });
    map(queues.tasks, handler, 300);
    map(queues.deadLetters, sqsDeadLetterHandler(handlerOptions()));

    const parked: Message[] = [];
    const results: Message[] = [];
    await until(async () => {
      await drain(queues.parked, parked);
      await drain(queues.results, results);
      expect([parked.length, results.length]).toEqual([1, 1]);
    });
    const told: StepResult[] = results.map(({ Body }) => decodeStepResult(Body ?? ''));
    expect(told).toMatchObject([{ runId: 'r-1', seq: 2, status: 'failed', error: { code: 'dead_letter', retryable: true } }]);
    expect(JSON.parse(parked[0]?.MessageAttributes?.['durable-parked']?.StringValue ?? '{}')).toEqual({
      reason: 'receive count used up',
      firstSeen: expect.stringMatching(/^20\d\d-\d\d-\d\dT/),
      receiveCount: expect.any(Number),
      resultSent: true,
    });
    expect(parked[0]?.MessageAttributes?.['tenant']?.StringValue).toBe('acme');
    await until(async () => expect(await depth(client, queues.deadLetters)).toBe(0));
  });

  it('a task that finds no time is with the next invocation at once, long before its visibility timeout', async () => {
    const queues = await queuesOf(false, { visibilitySeconds: 60 });
    const ran: string[] = [];
    const handler = sqsStepHandler(
      TOKEN,
      async (input: unknown, step) => {
        ran.push(step.task.stepId);
        if (input === 'slow') await new Promise(() => {});
      },
      { ...handlerOptions(), concurrency: 1, deadlineReserveMs: 200 },
    );
    for (const seq of [0, 1, 2]) {
      await send(queues.tasks, encodeRemoteTask(taskFor({ runId: 'r-1', seq, name: TOKEN, input: seq === 0 ? 'slow' : null })));
    }
    map(queues.tasks, handler, 1_000);
    await until(async () => {
      expect(new Set(ran).size).toBe(3);
      expect(await depth(client, queues.tasks)).toBe(0);
    });
    expect(ran.toSorted()).toEqual(['r-1:0', 'r-1:1', 'r-1:2']);
    expect(await depth(client, queues.results)).toBe(3);
  });
});
