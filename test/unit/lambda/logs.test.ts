import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { sqsStepHandler } from '../../../src/lambda/index.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { FakeQueues, invoke } from '../../support/fake-queues.ts';
import { contextOf, eventOf, eventOfInputs, recordOf, taskFor } from '../../support/sqs-records.ts';

const IDS = { step: 'charge', runId: 'r', stepId: 'r:2', attempt: 3, receiveCount: 4, messageId: 'message-2', requestId: 'request-7' };
const event = eventOf(recordOf(taskFor({ name: 'charge', runId: 'r', seq: 2, attempt: 3 }), { receiveCount: 4 }));
const context = contextOf({ awsRequestId: 'request-7' });

async function linesOf(fn: () => unknown) {
  const logger = capturingLogger();
  await invoke(sqsStepHandler('charge', fn, { logger }), event, new FakeQueues(), context);
  return logger.lines;
}

describe('the end of a step', () => {
  it('leaves one line, with all that finds it again', async () => {
    expect(await linesOf(() => 1)).toEqual([
      { level: 'info', message: 'step completed', fields: { ...IDS, durationMs: expect.any(Number) } },
    ]);
  });

  it('leaves a warning if it failed, with the name and code of the error and whether the engine may retry', async () => {
    const failed = (fields: object) => [
      { level: 'warn', message: 'step failed', fields: { ...IDS, durationMs: expect.any(Number), ...fields } },
    ];
    const typeError = new TypeError('no such field');
    const declined = Object.assign(new Error('no'), { name: 'Declined', code: 'declined', retryable: false });
    expect(await linesOf(() => Promise.reject(typeError))).toEqual(failed({ errorName: 'TypeError', retryable: true }));
    expect(await linesOf(() => Promise.reject(declined))).toEqual(
      failed({ errorName: 'Declined', errorCode: 'declined', retryable: false }),
    );
    expect(await linesOf(() => Promise.reject('text'))).toEqual(failed({ errorName: 'string', retryable: true }));
    expect(await linesOf(() => Promise.reject(undefined))).toEqual(failed({ errorName: 'undefined', retryable: true }));
  });

  it('says that an output could not be sent, and what was dropped', async () => {
    const lines = await linesOf(() => 1n);
    expect(lines.map(({ message, fields }) => [message, fields['dropped'] ?? fields['errorCode']])).toEqual([
      ['result did not fit or could not be encoded', 'output'],
      ['step failed', 'unserializable_output'],
    ]);
  });

  it('tells how long the step took', async () => {
    vi.useFakeTimers();
    const [line] = await linesOf(() => void vi.advanceTimersByTime(123.4));
    vi.useRealTimers();
    expect(line?.fields['durationMs']).toBe(123);
  });
});

describe('the default logger', () => {
  const lines: string[] = [];

  beforeEach(() => {
    lines.length = 0;
    for (const level of ['debug', 'info', 'warn', 'error'] as const) {
      vi.spyOn(console, level).mockImplementation((line: unknown) => void lines.push(String(line)));
    }
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  });

  it('writes JSON on Lambda', async () => {
    vi.stubEnv('AWS_LAMBDA_FUNCTION_NAME', 'worker');
    await invoke(
      sqsStepHandler('charge', () => 1),
      event,
      new FakeQueues(),
      context,
    );
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { ...IDS, durationMs: expect.any(Number), level: 'info', message: 'step completed', timestamp: expect.any(String) },
    ]);
  });

  it('writes a readable line elsewhere', async () => {
    vi.stubEnv('AWS_LAMBDA_FUNCTION_NAME', undefined);
    await invoke(
      sqsStepHandler('charge', () => 1),
      event,
      new FakeQueues(),
      context,
    );
    expect(lines).toEqual([expect.stringContaining('[durable-sqs-lambda] info step completed step=charge runId=r stepId=r:2')]);
  });
});

describe('a logger that throws', () => {
  it('costs no record anything', async () => {
    const fails = () => {
      throw new Error('disk full');
    };
    const handler = sqsStepHandler('step', (input) => (input === 'bad' ? Promise.reject(new Error('no')) : 1n), {
      logger: { debug: fails, info: fails, warn: fails, error: fails },
    }).after(fails);
    const queues = new FakeQueues();
    expect(await invoke(handler, eventOfInputs(['good', 'bad', 'good']), queues)).toEqual({ batchItemFailures: [] });
    expect(queues.accepted).toHaveLength(3);
  });
});
