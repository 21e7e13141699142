import {
  ListEventSourceMappingsCommand,
  UpdateEventSourceMappingCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda';
import { DeleteMessageCommand, type Message, ReceiveMessageCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { afterAll, describe, expect, inject, it, vi } from 'vitest';
import { createUser, outputsOf, queueUrlOf, required } from '../account.ts';
import { layOut } from '../deploy.ts';
import { startChild } from '../engine/child-process.ts';
import { type Engine, startEngine } from '../engine/engine.ts';
import { wasAsked } from '../rights/calls.ts';
import {
  ENGINE_USER,
  type Holder,
  heldPolicies,
  kindOf,
  NOT_ON_THIS_SERVER,
  rightsIn,
  WORKER_USER,
  without,
} from '../rights/held-rights.ts';
import { clientsOf } from '../server/clients.ts';

const STACK = 'variants-dev';
const MISSED_MS = 60_000;
/** Too large for SQS, so it goes through the payload bucket. */
const LARGE = 'a'.repeat(1_100_000);

const aws = inject('aws');
const clients = clientsOf(aws);
const service = layOut(aws, 'removed-rights', { 'test/deployed/services/variants': '.' });

// While the file is collected, because the rights are the list of its tests.
await service.done(['deploy']);
const outputs = await outputsOf(clients, STACK);
const bucket = { DURABLE_PAYLOAD_BUCKET: required(outputs['DurablePayloadBucketName'], 'DurablePayloadBucketName') };
const engineUser = await createUser(clients, ENGINE_USER, [required(outputs['DurableEnginePolicyArn'], 'DurableEnginePolicyArn')]);
const workerUser = await createUser(clients, WORKER_USER, [required(outputs['DurableWorkerPolicyArn'], 'DurableWorkerPolicyArn')]);
const policies = await heldPolicies(clients, STACK, outputs);
const rights = rightsIn(policies);
const kinds = [...new Set(rights.map(kindOf))].filter((kind) => !NOT_ON_THIS_SERVER.includes(kind)).sort();
/** A task whose body is in the payload bucket, as the engine has sent it. */
const storedTask = await takeStoredTask();

afterAll(() => service.remove());

/** What uses every right of its holder, in a process that knows no queue's URL yet. */
const work: Readonly<Record<Holder['is'], (kind: string) => Promise<() => Promise<void>>>> = {
  engine: async (kind) => {
    const engine = await newEngine();
    startRun(engine, 'documents.store', { text: LARGE }, kind);
    engine.depth('documents.store').catch(() => undefined);
    await send('variants-results.fifo', { Body: 'not a result' }, kind);
    return engine.kill;
  },
  'step function': async (kind) => {
    const engine = await newEngine();
    startRun(engine, 'documents.store', { text: LARGE }, kind);
    // It gives back what it has not started when its time is over.
    for (const waits of [true, false]) startRun(engine, 'slow.work', { waits }, `${kind} ${waits}`);
    return engine.kill;
  },
  'dead-letter function': async (kind) => {
    // Another configuration starts another process.
    await clients.lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName: `${STACK}-deadLetters`, MemorySize: 512 }));
    await send('variants-dead-letters-documents--store', storedTask, kind);
    return async () => undefined;
  },
  'container worker': async (kind) => {
    const engine = await newEngine();
    const worker = await startChild('worker-process.ts', aws, workerUser, { WORKER_PREFIX: 'variants', ...bucket });
    startRun(engine, 'scans.read', { pages: LARGE, forMs: 3_000 }, kind);
    return async () => {
      await engine.kill();
      await worker.kill();
    };
  },
};

/**
 * Each right of each role and policy is taken away on AWS, from all who hold it, while its holders work. Somebody must
 * miss it: a right that nobody misses is not needed.
 */
describe('a right that is taken away', () => {
  it.each(kinds)('costs somebody a refused call: %s', async (kind) => {
    const mine = rights.filter((right) => kindOf(right) === kind);
    const isMissed = () => mine.some((right) => wasAsked(right, aws, 'refused'));
    expect(isMissed()).toBe(false);
    const { is } = required(mine[0], `a right "${kind}"`).holder;
    const theirs = policies.filter(({ holder }) => holder.is === is);
    for (const policy of theirs) await policy.put(without(policy, kind));
    const end = await work[is](kind);
    try {
      await vi.waitFor(() => expect(isMissed()).toBe(true), { timeout: MISSED_MS, interval: 50 });
    } finally {
      await end();
      for (const policy of theirs) await policy.put(policy.document);
    }
  });
});

function newEngine(): Promise<Engine> {
  return startEngine(aws, engineUser, { prefix: 'variants', payloadStore: true }, bucket);
}

/** Starts a run of one step. Without a right it may never end, so nobody waits for it. */
function startRun(engine: Engine, step: string, input: unknown, runId: string): void {
  engine.runs([{ workflow: 'one-step', runId, input: { step, input } }]).catch(() => undefined);
}

async function send(queue: string, { Body, MessageAttributes }: Message, group: string): Promise<void> {
  const QueueUrl = required(await queueUrlOf(clients, queue), `a queue ${queue}`);
  const id = group.replaceAll(/[^a-zA-Z0-9]+/g, '-');
  const fifo = queue.endsWith('.fifo') ? { MessageGroupId: id, MessageDeduplicationId: id } : {};
  await clients.sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: Body, MessageAttributes, ...fifo }));
}

/** Lets an engine send a large task, and takes it out of the queue. */
async function takeStoredTask(): Promise<Message> {
  const FunctionName = `${STACK}-documents`;
  const { EventSourceMappings } = await clients.lambda.send(new ListEventSourceMappingsCommand({ FunctionName }));
  const UUID = required(EventSourceMappings?.[0]?.UUID, 'a mapping of documents');
  await clients.lambda.send(new UpdateEventSourceMappingCommand({ UUID, Enabled: false }));
  const engine = await newEngine();
  startRun(engine, 'documents.store', { text: LARGE }, 'stored');
  const QueueUrl = await queueUrlOf(clients, 'variants-tasks-documents--store');
  const { Messages } = await clients.sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20, MessageAttributeNames: ['All'] }));
  const task = required(Messages?.[0], 'the task of a large input');
  await clients.sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: task.ReceiptHandle }));
  await engine.kill();
  await clients.lambda.send(new UpdateEventSourceMappingCommand({ UUID, Enabled: true }));
  return task;
}
