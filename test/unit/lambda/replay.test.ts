import { afterEach, describe, expect, it, vi } from 'vitest';
import { sqsDeadLetterHandler, sqsStepHandler } from '../../../src/lambda/index.ts';
import { printingQueues } from '../../../src/lambda/replay.ts';
import { decodeStepResult } from '../../../src/wire/step-result.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { FakeQueues, failedIds, invoke } from '../../support/fake-queues.ts';
import { contextOf, eventOf, eventOfInputs, recordOf, taskFor } from '../../support/sqs-records.ts';

const logger = capturingLogger();

/** Lines that are printed while `work` runs. */
async function printedBy(work: () => Promise<unknown>): Promise<string[]> {
  const lines: string[] = [];
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    lines.push(String(chunk));
    return true;
  });
  try {
    await work();
  } finally {
    write.mockRestore();
  }
  return lines;
}

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('DURABLE_REPLAY=print', () => {
  it('prints each result as one line of JSON, and touches no queue', async () => {
    vi.stubEnv('DURABLE_REPLAY', 'print');
    const handler = sqsStepHandler('step', (n: number) => `line\n${n}`, { logger });
    const lines = await printedBy(async () => {
      expect(await handler(eventOfInputs([1, 2]), contextOf())).toEqual({ batchItemFailures: [] });
    });
    expect(lines.every((line) => line.indexOf('\n') === line.length - 1)).toBe(true);
    expect(lines.map((line) => decodeStepResult(line).output)).toEqual(['line\n1', 'line\n2']);
  });

  it('prints large results whole, without a store', async () => {
    vi.stubEnv('DURABLE_REPLAY', 'print');
    const payloadStore = { thresholdBytes: 10, put: () => Promise.reject(new Error('no')), get: () => Promise.reject(new Error('no')) };
    const handler = sqsStepHandler('step', () => 'x'.repeat(100), { logger, payloadStore });
    const lines = await printedBy(() => handler(eventOfInputs([1]), contextOf()));
    expect(decodeStepResult(lines[0] ?? '').output).toHaveLength(100);
  });

  it('fails the command where a record gives no result, and prints those that there are', async () => {
    vi.stubEnv('DURABLE_REPLAY', 'print');
    const handler = sqsStepHandler('step', () => 1, { logger });
    const event = eventOf(recordOf(taskFor()), recordOf('{', { messageId: 'poison' }));
    const lines = await printedBy(async () => {
      await expect(handler(event, contextOf())).rejects.toMatchObject({
        name: 'ReplayFailedError',
        message: '1 of 2 record(s) gave no result; the log lines above say why',
      });
    });
    expect(lines).toHaveLength(1);
  });

  it('succeeds if the step fails: that is a result', async () => {
    vi.stubEnv('DURABLE_REPLAY', 'print');
    const handler = sqsStepHandler('step', () => Promise.reject(new Error('declined')), { logger });
    const lines = await printedBy(() => handler(eventOfInputs([1]), contextOf()));
    expect(lines.map((line) => decodeStepResult(line).status)).toEqual(['failed']);
  });

  it('prints what a step threw with its stack, but not to the log, and nothing where our own message says all', async () => {
    vi.stubEnv('DURABLE_REPLAY', 'print');
    const shown = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    try {
      const declined = new Error('declined');
      const thrower = sqsStepHandler('step', () => Promise.reject(declined), { logger });
      await printedBy(() => thrower(eventOfInputs([1]), contextOf()));
      expect(shown.mock.calls).toEqual([[declined]]);
      shown.mockClear();
      await printedBy(() => sqsStepHandler('other', () => 1, { logger })(eventOfInputs([1]), contextOf()));
      expect(shown).not.toHaveBeenCalled();
    } finally {
      shown.mockRestore();
    }
  });

  it('prints the result of a dead letter, and parks nothing', async () => {
    vi.stubEnv('DURABLE_REPLAY', 'print');
    const handler = sqsDeadLetterHandler({ logger });
    const record = recordOf(taskFor(), { eventSourceARN: 'arn:aws:sqs:us-east-1:1:durable-dead-letters-step' });
    const lines = await printedBy(() => handler(eventOf(record), contextOf()));
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ error: { code: 'dead_letter' } }]);
  });

  it.each(['1', 'Print', 'x'.repeat(500)])('stops the module from loading with another value (%#)', (value) => {
    vi.stubEnv('DURABLE_REPLAY', value);
    expect(() => sqsStepHandler('step', () => 1, { logger })).toThrow('expected DURABLE_REPLAY to be "print" or "send"');
  });
});

describe('DURABLE_LOCAL', () => {
  it.each([
    ['shows what a step threw, and sends its result', {}, 1],
    ['shows nothing on Lambda', { AWS_LAMBDA_RUNTIME_API: '127.0.0.1:9001' }, 0],
  ])('%s', async (_what, env, times) => {
    for (const [name, value] of Object.entries({ DURABLE_LOCAL: '1', ...env })) vi.stubEnv(name, value);
    const shown = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const queues = new FakeQueues();
    const handler = sqsStepHandler('step', () => Promise.reject(new Error('declined')), { logger });
    expect(failedIds(await invoke(handler, eventOfInputs([1]), queues))).toEqual([]);
    expect(queues.accepted).toHaveLength(1);
    expect(shown).toHaveBeenCalledTimes(times);
    shown.mockRestore();
  });
});

describe('DURABLE_REPLAY=send', () => {
  const poisoned = () => {
    const handler = sqsStepHandler('step', () => 1, { logger });
    const queues = new FakeQueues();
    return { queues, answer: invoke(handler, eventOf(recordOf(taskFor()), recordOf('{', { messageId: 'poison' })), queues) };
  };

  it('sends, and fails the command too where a record gives no result', async () => {
    vi.stubEnv('DURABLE_REPLAY', 'send');
    const { queues, answer } = poisoned();
    await expect(answer).rejects.toMatchObject({ name: 'ReplayFailedError' });
    expect(queues.accepted).toHaveLength(1);
  });

  it.each([
    ['on Lambda, which would deliver the whole batch again', { DURABLE_REPLAY: 'send', AWS_LAMBDA_RUNTIME_API: '127.0.0.1:9001' }],
    ['where it is empty', { DURABLE_REPLAY: '' }],
  ])('reports the record alone %s', async (_, env) => {
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    expect(failedIds(await poisoned().answer)).toEqual(['poison']);
  });
});

describe('printingQueues', () => {
  it('gives nothing back: there is no queue', () => {
    expect(printingQueues()).not.toHaveProperty('release');
  });
});
