import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { DeleteMessageCommand, type Message, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createQueues, type LocalSqs, startLocalSqs } from '../../src/local/index.ts';
import { eventSource, sqsRecord } from '../../src/local/sqs-event.ts';
import { decodeRemoteTask, type RemoteTask } from '../../src/wire/remote-task.ts';
import { failureOf, type StepResult } from '../../src/wire/step-result.ts';
import { type Bundles, bundleHandlers } from '../support/bundles.ts';
import { createEngineQueues } from '../support/engine-queues.ts';
import { type InvocationEnd, type LambdaProcess, requireRuntime, startLambda } from '../support/runtime-api.ts';
import { eventOf, recordOf } from '../support/sqs-records.ts';

const STEPS = ['payments.charge-card', 'stock.reserve'];
const ALL_CONSUMED: InvocationEnd = { kind: 'response', payload: { batchItemFailures: [] } };
/** PostgreSQL is made in the first invocation: eight seconds of a processor. */
const TIMEOUT_MS = 120_000;
/** Far more than what is left behind would take. */
const FROZEN_MS = 200;

let bundles: Bundles;
let sqs: LocalSqs;
let client: SQSClient;
let lambda: LambdaProcess;
let tasksQueueUrls: ReadonlyMap<string, string>;
let wakeUpsQueueUrl: string;

beforeAll(async () => {
  await requireRuntime();
  bundles = await bundleHandlers('test/runtime/handlers/engine.ts');
  sqs = await startLocalSqs();
  const { clientConfig } = sqs;
  client = new SQSClient(clientConfig);
  const queues = await createQueues({ clientConfig, steps: STEPS });
  const { resultsQueueUrl } = queues;
  ({ tasksQueueUrls } = queues);
  [, , wakeUpsQueueUrl] = await createEngineQueues(client, { prefix: 'durable', resultsQueueUrl, visibilitySeconds: 30 });
  lambda = await startLambda({
    taskRoot: bundles.folder,
    handler: 'engine.handler',
    memoryMb: 1_024,
    env: { AWS_ENDPOINT_URL_SQS: sqs.endpoint, STORE_MODULE: fileURLToPath(new URL('./pglite-store.ts', import.meta.url)) },
  });
});
afterAll(async () => {
  await lambda?.stop();
  client?.destroy();
  await sqs?.stop();
  await bundles?.remove();
});

/** One invocation, thawed for it and frozen after it, as on Lambda. */
async function invoke(event: unknown): Promise<InvocationEnd> {
  lambda.child.kill('SIGCONT');
  const end = await lambda.invoke(event, { timeoutMs: TIMEOUT_MS });
  lambda.child.kill('SIGSTOP');
  await sleep(FROZEN_MS);
  return end;
}

/** The next message of a queue, as the record that a mapping makes of it. */
async function nextRecord(queueUrl: string) {
  const { Messages } = await client.send(
    new ReceiveMessageCommand({ QueueUrl: queueUrl, WaitTimeSeconds: 10, MessageSystemAttributeNames: ['All'] }),
  );
  const [message]: readonly Message[] = Messages ?? [];
  if (message === undefined) throw new Error(`no message came by ${queueUrl}: ${lambda.output()}`);
  await client.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle: message.ReceiptHandle }));
  return sqsRecord(message, eventSource(queueUrl, 'us-east-1'));
}

const nextTask = async (step: string) => decodeRemoteTask((await nextRecord(tasksQueueUrls.get(step) ?? '')).body);
const nextWakeUp = async () => eventOf(await nextRecord(wakeUpsQueueUrl));
const queue = (kind: string) => ({ eventSourceARN: `arn:aws:sqs:us-east-1:000000000000:durable-${kind}` });

function answerTo({ runId, seq, stepId, attempt }: RemoteTask, fields: Partial<StepResult>) {
  const result: StepResult = { runId, seq, stepId, status: 'completed', ...fields };
  return eventOf(recordOf(JSON.stringify(failureOf(attempt, result)), queue('results')));
}

describe('an engine function under the runtime loop of AWS', () => {
  it('completes a run by records, frozen after each invocation: a retry, a sleep and a child', { timeout: 2 * TIMEOUT_MS }, async () => {
    const start = { workflow: 'order', input: { orderId: 'o-1' }, runId: 'order-1' };
    expect(await invoke(eventOf(recordOf(JSON.stringify(start), queue('start-run')))), lambda.output()).toEqual(ALL_CONSUMED);

    const first = await nextTask('payments.charge-card');
    expect(first).toMatchObject({ runId: 'order-1', attempt: 1, input: { orderId: 'o-1' } });
    const failure = { status: 'failed', error: { message: 'busy', retryable: true } } as const;
    expect(await invoke(answerTo(first, failure))).toEqual(ALL_CONSUMED);

    expect(await invoke(await nextWakeUp())).toEqual(ALL_CONSUMED);
    const second = await nextTask('payments.charge-card');
    expect(second).toMatchObject({ stepId: first.stepId, attempt: 2 });
    expect(await invoke(answerTo(second, { output: 'ch_1' }))).toEqual(ALL_CONSUMED);

    expect(await invoke(await nextWakeUp())).toEqual(ALL_CONSUMED);
    const ofChild = await nextTask('stock.reserve');
    expect(await invoke(answerTo(ofChild, { output: 'shelf 7' }))).toEqual(ALL_CONSUMED);
    expect(lambda.output()).toContain('completed order-1: ["ch_1","shelf 7"]');
  });

  it('takes a tick of the schedule, and a result that comes again', async () => {
    expect(await invoke({ source: 'aws.events', 'detail-type': 'Scheduled Event' })).toMatchObject({ kind: 'response' });
    const late: RemoteTask = {
      runId: 'order-1',
      attempt: 2,
      seq: 0,
      stepId: 'order-1:0',
      name: 'payments.charge-card',
      group: '',
      input: {},
    };
    expect(await invoke(answerTo(late, { output: 'again' }))).toEqual(ALL_CONSUMED);
    expect(lambda.output().match(/completed order-1:/g)).toHaveLength(1);
  });
});
