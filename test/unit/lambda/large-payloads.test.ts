import { describe, expect, it } from 'vitest';
import { sqsStepHandler } from '../../../src/lambda/index.ts';
import { NO_RETRIES, type WorkerQueues } from '../../../src/lambda/worker-queues.ts';
import { payloadKey } from '../../../src/payloads/payload-key.ts';
import type { PayloadStore } from '../../../src/payloads/payload-store.ts';
import { decodePointer, encodePointer } from '../../../src/payloads/pointer.ts';
import type { OutgoingMessage } from '../../../src/sqs/sqs-api.ts';
import { MAX_MESSAGE_BYTES } from '../../../src/wire/limits.ts';
import { encodeRemoteTask } from '../../../src/wire/remote-task.ts';
import { decodeStepResult } from '../../../src/wire/step-result.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { failedIds, invoke } from '../../support/fake-queues.ts';
import { denied, MemoryPayloads, unavailable } from '../../support/memory-payloads.ts';
import { eventOf, recordOf, taskFor } from '../../support/sqs-records.ts';

const KEY = payloadKey({ kind: 'task', runId: 'run', stepId: 'run:4', seq: 4 }, 'u');
const pointerTo = (key: string) => recordOf(encodePointer({ bucket: 'bodies', key }), { messageId: 'pointer' });
const big = 'x'.repeat(2_000);

/** One invocation over a results queue that keeps messages as they are. */
async function run(step: (input: unknown) => unknown, record: ReturnType<typeof recordOf>, payloadStore?: PayloadStore) {
  const messages: OutgoingMessage[] = [];
  const logger = capturingLogger();
  let runs = 0;
  const handler = sqsStepHandler(
    'step',
    (input: unknown) => {
      runs += 1;
      return step(input);
    },
    { logger, ...(payloadStore === undefined ? {} : { payloadStore }) },
  );
  const queues: WorkerQueues = {
    url: async () => 'results',
    retries: () => NO_RETRIES,
    send: async (_queueUrl, message) => void messages.push(message),
  };
  const again = () => invoke(handler, eventOf(record), queues).then(failedIds, ({ name }: Error) => name);
  return { outcome: await again(), messages, runs: () => runs, logger, again };
}

describe('a task whose body is stored', () => {
  it('gets read and run as any other', async () => {
    const store = new MemoryPayloads();
    store.objects.set(KEY, encodeRemoteTask(taskFor({ seq: 4, input: big })));
    const { outcome, messages } = await run((input) => String(input).length, pointerTo(KEY), store);
    expect(outcome).toEqual([]);
    expect(messages.map(({ body }) => decodeStepResult(body))).toMatchObject([{ stepId: 'run:4', output: 2_000 }]);
  });

  it.each([
    ['missing', new MemoryPayloads()],
    ['denied', Object.assign(new MemoryPayloads(), { fault: denied() })],
    ['not_configured', undefined],
  ])('fails the step for good if it is lost (%s), by the ids in its key', async (_reason, store) => {
    const { outcome, messages, runs } = await run(() => 1, pointerTo(KEY), store);
    expect(outcome).toEqual([]);
    expect(runs()).toBe(0);
    expect(messages.map(({ body }) => decodeStepResult(body))).toMatchObject([
      { runId: 'run', seq: 4, stepId: 'run:4', status: 'failed', error: { code: 'payload_store', retryable: false } },
    ]);
  });

  it.each([
    ['of another program', 'uuid'],
    ['of a result', KEY.replace('task/', 'result/')],
  ])('stays for the dead-letter queue if it is lost under a key %s', async (_what, key) => {
    const { outcome, messages, logger } = await run(() => 1, pointerTo(key), new MemoryPayloads());
    expect(outcome).toEqual(['pointer']);
    expect(messages).toEqual([]);
    expect(logger.lines).toMatchObject([{ level: 'error', fields: { messageId: 'pointer', errorCode: 'payload_store' } }]);
  });

  it.each([
    ['the store', unavailable()],
    ['something else', new Error('socket')],
  ])('gets redelivered if it is unavailable now (%s)', async (_what, failure) => {
    const store = Object.assign(new MemoryPayloads(), { fault: failure });
    const { outcome, messages, runs } = await run(() => 1, pointerTo(KEY), store);
    expect(outcome).toEqual(['pointer']);
    expect(messages).toEqual([]);
    expect(runs()).toBe(0);
  });

  it('stays for the dead-letter queue if it holds no task', async () => {
    const store = new MemoryPayloads();
    store.objects.set(KEY, '{"card":"4111');
    const { outcome, logger } = await run(() => 1, pointerTo(KEY), store);
    expect(outcome).toEqual(['pointer']);
    expect(JSON.stringify(logger.lines)).not.toContain('4111');
  });
});

describe('a result that is large', () => {
  it('goes to the store above the threshold, and its pointer to the queue; a small one goes to the queue', async () => {
    const store = new MemoryPayloads();
    const { outcome, messages } = await run(() => big, recordOf(taskFor({ seq: 4 })), store);
    expect(outcome).toEqual([]);
    const pointer = decodePointer(messages[0]?.body ?? '');
    expect(decodeStepResult(await store.get(pointer ?? { bucket: '', key: '' }))).toMatchObject({ stepId: 'run:4', output: big });
    expect(store.subjects).toEqual([{ kind: 'result', runId: 'run', stepId: 'run:4', seq: 4 }]);
    expect(messages[0]?.attributes).toEqual({ ExtendedPayloadSize: { dataType: 'Number', value: expect.any(String) } });
    const small = await run(() => 1, recordOf(taskFor()), store);
    expect(small.messages.map(({ body }) => decodeStepResult(body).output)).toEqual([1]);
  });

  it('keeps its output and its events above the limit of SQS', async () => {
    const store = new MemoryPayloads();
    const output = 'x'.repeat(MAX_MESSAGE_BYTES + 1);
    await run(() => output, recordOf(taskFor()), store);
    expect(decodeStepResult([...store.objects.values()][0] ?? '').output).toBe(output);
  });

  it('leaves its record unconsumed if it cannot be stored now; the step does not run again for it', async () => {
    const store = new MemoryPayloads();
    store.fault = unavailable();
    const { outcome, messages, runs, again } = await run(() => big, recordOf(taskFor()), store);
    expect(outcome).toBe('ResultsNotAcceptedError');
    store.fault = undefined;
    expect(await again()).toEqual([]);
    expect(messages).toHaveLength(1);
    expect(store.objects.size).toBe(1);
    expect(runs()).toBe(1);
  });

  it('fails the step if it can never be stored', async () => {
    const store = Object.assign(new MemoryPayloads(), { fault: denied() });
    const { outcome, messages } = await run(() => big, recordOf(taskFor()), store);
    expect(outcome).toEqual([]);
    expect(messages.map(({ body }) => decodeStepResult(body))).toMatchObject([
      { stepId: 'run:0', status: 'failed', error: { code: 'payload_store', retryable: false } },
    ]);
  });
});
