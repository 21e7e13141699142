import { FatalError } from '@dudousxd/nestjs-durable-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { payloadKey } from '../../../../src/payloads/payload-key.ts';
import { decodePointer, encodePointer } from '../../../../src/payloads/pointer.ts';
import { MAX_MESSAGE_BYTES } from '../../../../src/wire/limits.ts';
import { encodeRemoteTask } from '../../../../src/wire/remote-task.ts';
import { deferred } from '../../../support/deferred.ts';
import { denied, MemoryPayloads, unavailable } from '../../../support/memory-payloads.ts';
import { taskFor } from '../../../support/sqs-records.ts';
import { definite, transient } from '../../transport/fake-sqs.ts';
import { HOSTS, RESULTS } from './worker-hosts.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const IDS = { runId: 'run', seq: 4, stepId: 'run:4' };
const task = taskFor({ ...IDS, input: 'in', attempt: 2 });
const KEY = payloadKey({ kind: 'task', ...IDS }, 'u');
const pointer = (key = KEY) => encodePointer({ bucket: 'bodies', key });
const failing = (error: object) => ({
  step: () => {
    throw error;
  },
});
const MEBIBYTE = 1_048_576;

describe.each(HOSTS)('the worker on $name', ({ handle, fields }) => {
  const LINE = { step: 'step', runId: 'run', stepId: 'run:4', attempt: 2, receiveCount: 1, messageId: 'm1', ...fields };

  describe('with a step that returns', () => {
    it('settles the message only once SQS has accepted the result', async () => {
      const end = deferred<string>();
      const run = await handle(task, { steps: { step: () => end.promise } });
      const accept = deferred<void>();
      const send = run.sqs.sendMessages.bind(run.sqs);
      run.sqs.sendMessages = async (...args) => {
        await accept.promise;
        return send(...args);
      };
      expect(run.redelivers()).toBeUndefined();
      end.resolve('out');
      await run.pass(10);
      expect(run.redelivers()).toBeUndefined();
      accept.resolve();
      await run.pass();
      expect(run.results()).toEqual([{ ...IDS, status: 'completed', output: 'out', startedAt: expect.any(Number) }]);
      expect(run.redelivers()).toBe(false);
    });

    it('logs one line, with all that finds the step again', async () => {
      const { logger } = await handle(task);
      expect(logger.lines).toEqual([{ level: 'info', message: 'step completed', fields: { ...LINE, durationMs: 0 } }]);
    });
  });

  describe('with a step that throws', () => {
    it('answers with message, code and retryable, and logs the error by name and code only', async () => {
      const error = Object.assign(new Error('card 4111'), { name: 'Declined', code: 'declined', retryable: false });
      const { results, redelivers, logger } = await handle(task, { steps: failing(error) });
      expect(results()).toMatchObject([{ ...IDS, status: 'failed', error: { message: 'card 4111', code: 'declined', retryable: false } }]);
      expect(redelivers()).toBe(false);
      const line = { ...LINE, durationMs: 0, errorName: 'Declined', errorCode: 'declined', retryable: false };
      expect(logger.lines).toEqual([{ level: 'warn', message: 'step failed', fields: line }]);
    });

    it('answers a FatalError as not retryable', async () => {
      const { results } = await handle(task, { steps: failing(new FatalError('no')) });
      expect(results()).toMatchObject([{ error: { message: 'no', retryable: false } }]);
    });
  });

  it('fails a step that it does not serve as no_handler, and says which it serves', async () => {
    const { results, redelivers } = await handle(taskFor({ name: 'other' }), { steps: { one: () => 1, two: () => 2 } });
    const message = 'no handler for step "other": this worker serves "one", "two"';
    expect(results()).toMatchObject([{ status: 'failed', error: { message, code: 'no_handler', retryable: false } }]);
    expect(redelivers()).toBe(false);
  });

  it.each([
    ['input', { input: z.number() }, 'invalid_input'],
    ['output', { output: z.number() }, 'invalid_output'],
  ])('fails a step whose %s does not match its schema', async (_which, schemas, code) => {
    const { results, redelivers } = await handle(task, { steps: { step: { run: (input) => input, ...schemas } } });
    expect(results()).toMatchObject([
      { status: 'failed', error: { code, retryable: false, message: expect.stringContaining('(root): Invalid input') } },
    ]);
    expect(redelivers()).toBe(false);
  });

  it('fails a step whose output cannot become JSON, and logs what was dropped and how the step ended', async () => {
    const { results, redelivers, logger } = await handle(task, { steps: { step: () => 1n } });
    expect(results()).toMatchObject([{ ...IDS, status: 'failed', error: { code: 'unserializable_output', retryable: false } }]);
    expect(redelivers()).toBe(false);
    expect(logger.lines).toMatchObject([
      { level: 'warn', message: 'result did not fit or could not be encoded', fields: { ...LINE, dropped: 'output' } },
      { level: 'warn', message: 'step failed', fields: { ...LINE, errorCode: 'unserializable_output', retryable: false } },
    ]);
  });

  describe('with a result over 1 MiB', () => {
    const large = { step: () => 'x'.repeat(MAX_MESSAGE_BYTES) };

    it('fails the step where there is no payload store, and names that option', async () => {
      const { results, redelivers } = await handle(task, { steps: large });
      const message = expect.stringMatching(
        /larger than the 1048576 bytes that an SQS message may have; give the worker a payloadStore, or/,
      );
      expect(results()).toMatchObject([{ status: 'failed', error: { message, code: 'result_too_large', retryable: false } }]);
      expect(redelivers()).toBe(false);
    });

    it('stores its body where there is a payload store', async () => {
      const payloadStore = new MemoryPayloads();
      const { sqs, redelivers } = await handle(task, { steps: large, payloadStore });
      const [message] = sqs.messages(RESULTS);
      const stored = await payloadStore.get(decodePointer(message?.body ?? '') ?? { bucket: '', key: '' });
      expect(JSON.parse(stored)).toMatchObject({ ...IDS, status: 'completed', output: large.step() });
      expect(payloadStore.subjects).toEqual([{ kind: 'result', ...IDS }]);
      expect(redelivers()).toBe(false);
    });

    it('fails the step where the body is larger than a payload store is given', async () => {
      const steps = { step: () => 'x'.repeat(70 * MEBIBYTE) };
      const payloadStore = new MemoryPayloads();
      const { results, redelivers } = await handle(task, { steps, payloadStore });
      const message = expect.stringMatching(/larger than the 67108864 bytes that a payload store is given; return a reference to the data/);
      expect(results()).toMatchObject([{ status: 'failed', error: { message, code: 'result_too_large', retryable: false } }]);
      expect(payloadStore.objects.size).toBe(0);
      expect(redelivers()).toBe(false);
    });

    it('fails the step where the store refuses the body', async () => {
      const payloadStore = Object.assign(new MemoryPayloads(), { fault: denied() });
      const { results, redelivers, logger } = await handle(task, { steps: large, payloadStore });
      expect(results()).toMatchObject([{ ...IDS, status: 'failed', error: { code: 'payload_store', retryable: false } }]);
      expect(redelivers()).toBe(false);
      expect(logger.lines.map(({ message }) => message)).toContain(
        'the result is too large for SQS and could not be stored; the step fails',
      );
    });

    it('stores the body once the store answers: the step does not run again', async () => {
      const payloadStore = Object.assign(new MemoryPayloads(), { fault: unavailable() });
      const step = vi.fn(large.step);
      const { sqs, pass, redelivers } = await handle(task, { steps: { step }, payloadStore });
      await pass(100);
      payloadStore.fault = undefined as never;
      await pass(1_000);
      expect(sqs.messages(RESULTS)).toHaveLength(1);
      expect(step).toHaveBeenCalledTimes(1);
      expect(redelivers()).toBe(false);
    });
  });

  it('sends what fits where the results queue accepts less than SQS does', async () => {
    const end = deferred<string>();
    const run = await handle(task, { steps: { step: () => end.promise } });
    const send = run.sqs.sendMessages.bind(run.sqs);
    run.sqs.sendMessages = async (queueUrl, messages) => {
      if (messages.some(({ body }) => body.length > 262_144)) throw definite('InvalidParameterValue');
      return send(queueUrl, messages);
    };
    end.resolve('x'.repeat(300_000));
    await run.pass();
    const message = expect.stringContaining('the 262144 bytes that the results queue accepts (its MaximumMessageSize)');
    expect(run.results()).toMatchObject([{ ...IDS, status: 'failed', error: { code: 'result_too_large', message } }]);
    expect(run.redelivers()).toBe(false);
    expect(run.logger.lines).toContainEqual({
      level: 'warn',
      message: 'result too large for the results queue; sent without what did not fit',
      fields: { ...LINE, bytes: expect.any(Number), dropped: 'output', sqsCode: 'InvalidParameterValue' },
    });
  });

  describe('with a body that is no task', () => {
    it.each([
      ['broken JSON', '{"card":"4111'],
      ['another object', '{"runId":7,"card":"4111"}'],
    ])('leaves the message for the dead-letter queue, and logs nothing of it: %s', async (_what, body) => {
      const { results, redelivers, logger } = await handle(body);
      expect(results()).toEqual([]);
      expect(redelivers()).toBe(true);
      expect(logger.lines).toEqual([
        {
          level: 'error',
          message: 'message is not a RemoteTask; left for the dead-letter queue',
          fields: { receiveCount: 1, messageId: 'm1', ...fields, problem: expect.any(String) },
        },
      ]);
      expect(JSON.stringify(logger.lines)).not.toContain('4111');
    });
  });

  describe('with a task whose body is stored', () => {
    it('runs it as any other', async () => {
      const payloadStore = new MemoryPayloads();
      payloadStore.objects.set(KEY, encodeRemoteTask(task));
      const { results, redelivers } = await handle(pointer(), { payloadStore });
      expect(results()).toMatchObject([{ ...IDS, output: 'in' }]);
      expect(redelivers()).toBe(false);
    });

    it.each([
      ['is missing', new MemoryPayloads()],
      ['is denied', Object.assign(new MemoryPayloads(), { fault: denied() })],
      ['has no payload store here', undefined],
    ])('fails the step that the key names, where the body %s', async (_why, payloadStore) => {
      const { results, redelivers, logger } = await handle(pointer(), payloadStore === undefined ? {} : { payloadStore });
      expect(results()).toMatchObject([{ ...IDS, status: 'failed', error: { code: 'payload_store', retryable: false } }]);
      expect(redelivers()).toBe(false);
      expect(logger.lines).toMatchObject([
        { level: 'error', message: 'the stored body of a task cannot be read; the step fails', fields: { runId: 'run', stepId: 'run:4' } },
      ]);
    });

    it('leaves the message for the dead-letter queue where the key does not tell whose it is', async () => {
      const { results, redelivers, logger } = await handle(pointer('of/another/program'), { payloadStore: new MemoryPayloads() });
      expect(results()).toEqual([]);
      expect(redelivers()).toBe(true);
      expect(logger.lines).toMatchObject([{ message: 'the stored body of a task cannot be read; left for the dead-letter queue' }]);
    });

    it('leaves the message to be redelivered where the store does not answer', async () => {
      const payloadStore = Object.assign(new MemoryPayloads(), { fault: unavailable() });
      const { results, redelivers, logger } = await handle(pointer(), { payloadStore });
      expect(results()).toEqual([]);
      expect(redelivers()).toBe(true);
      expect(logger.lines).toMatchObject([{ message: 'the stored body of a task cannot be read now; it will be redelivered' }]);
    });
  });

  describe('with SQS that does not accept the result', () => {
    it('sends it again after a transient failure, and tells of it', async () => {
      const end = deferred<void>();
      const step = vi.fn(() => end.promise);
      const run = await handle(task, { steps: { step } });
      run.sqs.fault = (operation) => (operation === 'send' ? transient('ServiceUnavailable') : undefined);
      end.resolve();
      await run.pass(200);
      expect(run.redelivers()).toBeUndefined();
      run.sqs.fault = () => undefined;
      await run.pass(1_000);
      expect(run.results()).toMatchObject([{ ...IDS, status: 'completed' }]);
      expect(run.redelivers()).toBe(false);
      expect(step).toHaveBeenCalledTimes(1);
      expect(run.logger.lines).toContainEqual({
        level: 'warn',
        message: 'sending a result failed; it is tried again while there is time',
        fields: {
          ...LINE,
          errorName: 'SqsRequestError',
          errorCode: 'sqs_request',
          reason: expect.stringContaining('ServiceUnavailable'),
          queue: expect.stringContaining(RESULTS),
        },
      });
    });

    it('leaves the message to be redelivered where SQS refuses the result for what it is', async () => {
      const end = deferred<void>();
      const run = await handle(task, { steps: { step: () => end.promise } });
      run.sqs.fault = (operation) => (operation === 'send' ? definite('InvalidMessageContents') : undefined);
      end.resolve();
      await run.pass();
      expect(run.redelivers()).toBe(true);
      expect(run.logger.lines.at(-1)).toMatchObject({
        level: 'error',
        message: 'result not accepted by SQS; its task will be redelivered',
        fields: LINE,
      });
    });
  });

  describe('with a FIFO results queue', () => {
    it('sends the result in the message group of its run, under one deduplication id for all tries', async () => {
      const end = deferred<void>();
      const run = await handle(task, { steps: { step: () => end.promise }, resultsQueue: `${RESULTS}.fifo` });
      let failures = 2;
      run.sqs.entryFault = (operation) => {
        failures -= 1;
        return operation === 'send' && failures >= 0 ? { ok: false, sqsCode: 'InternalError', transient: true } : undefined;
      };
      end.resolve();
      await run.pass(1_000);
      const sent = run.sqs.callsOf('send').flatMap(({ messages = [] }) => messages);
      expect(sent.map(({ groupId }) => groupId)).toEqual(['run', 'run', 'run']);
      expect(new Set(sent.map(({ deduplicationId }) => deduplicationId)).size).toBe(1);
      expect(sent[0]?.deduplicationId).toMatch(/^[0-9a-f-]{36}$/);
    });

    it('alone sends groups: on a standard queue they would cost', async () => {
      const { sqs } = await handle(task);
      expect(sqs.callsOf('send').flatMap(({ messages = [] }) => messages)[0]).not.toHaveProperty('groupId');
    });
  });

  describe('with a marker', () => {
    it('runs a marked message, and marks its result', async () => {
      const { sqs, redelivers } = await handle(task, { marker: 'durable' }, { attributes: { durable: '1' } });
      expect(sqs.messages(RESULTS).map(({ attributes }) => attributes)).toEqual([{ durable: '1' }]);
      expect(redelivers()).toBe(false);
    });

    it.each([
      [1, 'debug'],
      [2, 'debug'],
      [3, 'warn'],
    ])('leaves an unmarked message to its own consumer: receive %i, level %s', async (receiveCount, level) => {
      const { results, redelivers, logger } = await handle(task, { marker: 'durable' }, { receiveCount });
      expect(results()).toEqual([]);
      expect(redelivers()).toBe(true);
      expect(logger.lines[0]).toMatchObject({
        level,
        message: 'message without the marker attribute left to the other consumer of its queue',
        fields: { receiveCount },
      });
    });
  });
});
