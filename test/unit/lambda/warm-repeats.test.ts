import { describe, expect, it } from 'vitest';
import { SqsRequestError } from '../../../src/errors.ts';
import { sqsStepHandler } from '../../../src/lambda/index.ts';
import { WarmRepeats } from '../../../src/lambda/warm-repeats.ts';
import { encodeRemoteTask, type RemoteTask } from '../../../src/wire/remote-task.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { FakeChannel, failedIds, invoke } from '../../support/fake-channel.ts';
import { eventOf, recordOf, taskFor } from '../../support/sqs-records.ts';

function countingStep() {
  let runs = 0;
  const logger = capturingLogger();
  const handler = sqsStepHandler(
    'step',
    (input: unknown) => {
      runs += 1;
      if (input === 'bad') throw new Error('no');
      return { run: runs };
    },
    { logger },
  );
  return { handler, runs: () => runs, logger };
}

const down = (sqsCode = 'ServiceUnavailable', transient = true) =>
  new FakeChannel(() => Promise.reject(new SqsRequestError('SendMessageBatch', sqsCode, transient)));

async function failToSend(handler: ReturnType<typeof countingStep>['handler'], task: RemoteTask, channel = down()) {
  await expect(invoke(handler, eventOf(recordOf(task)), channel)).rejects.toMatchObject({ name: 'ResultsNotAcceptedError' });
}

describe('a task that comes back to the process that ran it', () => {
  it.each([
    ['completed', 'good'],
    ['failed', 'bad'],
  ])('is answered with its %s result, and does not run again', async (status, input) => {
    const { handler, runs, logger } = countingStep();
    const task = taskFor({ input });
    await failToSend(handler, task);
    await failToSend(handler, task);
    const channel = new FakeChannel();
    expect(failedIds(await invoke(handler, eventOf(recordOf(task, { receiveCount: 3 })), channel))).toEqual([]);
    expect(runs()).toBe(1);
    expect(channel.accepted).toMatchObject([{ stepId: 'run:0', status }]);
    expect(logger.lines).toContainEqual({
      level: 'info',
      message: 'step not run again: its result was still here',
      fields: expect.objectContaining({ stepId: 'run:0', attempt: 1, receiveCount: 3 }),
    });
  });

  it('runs again once its result was accepted: that a second time it comes is SQS’s or the engine’s wish', async () => {
    const { handler, runs } = countingStep();
    const task = taskFor();
    await failToSend(handler, task);
    for (let delivery = 0; delivery < 2; delivery += 1) await invoke(handler, eventOf(recordOf(task)));
    expect(runs()).toBe(2);
  });

  it('runs where its result was refused for what it is', async () => {
    const { handler, runs } = countingStep();
    await failToSend(handler, taskFor(), down('InvalidMessageContents', false));
    await invoke(handler, eventOf(recordOf(taskFor())));
    expect(runs()).toBe(2);
  });

  it.each([
    ['attempt', { attempt: 2 }],
    ['step', { stepId: 'run:1', seq: 1 }],
    ['input', { input: 'other' }],
    ['context', { context: { tenant: 'acme' } }],
  ])('runs where its %s is another', async (_what, other) => {
    const { handler, runs } = countingStep();
    await failToSend(handler, taskFor());
    await invoke(handler, eventOf(recordOf(taskFor(other))));
    expect(runs()).toBe(2);
  });
});

describe('WarmRepeats', () => {
  const unsent = (seq: number, size = 10) => {
    const task = taskFor({ seq });
    return { task, body: encodeRemoteTask(task), message: { body: 'x'.repeat(size) } };
  };
  const has = (repeats: WarmRepeats, seq: number) => repeats.find(taskFor({ seq }), unsent(seq).body) !== undefined;

  it('keeps the newest, up to a number', () => {
    const repeats = new WarmRepeats(2, 10_000);
    for (const seq of [0, 1, 0, 2]) repeats.keep(unsent(seq));
    expect([0, 1, 2].map((seq) => has(repeats, seq))).toEqual([true, false, true]);
    expect(repeats.size).toBe(2);
  });

  it('keeps the newest, up to so many bytes of tasks and results, and nothing that is larger than all of them', () => {
    const each = Buffer.byteLength(unsent(0).body) + 1_000;
    const repeats = new WarmRepeats(100, each * 2);
    for (const seq of [0, 1, 2]) repeats.keep(unsent(seq, 1_000));
    expect([0, 1, 2].map((seq) => has(repeats, seq))).toEqual([false, true, true]);
    repeats.keep(unsent(3, each * 2));
    expect([1, 2, 3].map((seq) => has(repeats, seq))).toEqual([true, true, false]);
    // What was kept under the same key, smaller, is not its result any more.
    repeats.keep(unsent(2, each * 2));
    expect([1, 2].map((seq) => has(repeats, seq))).toEqual([true, false]);
    for (const seq of [4, 5]) repeats.keep(unsent(seq, 1_000));
    expect(repeats.size).toBe(2);
  });

  it('counts bytes right through keeping and forgetting', () => {
    const repeats = new WarmRepeats(100, 100_000);
    for (let round = 0; round < 1_000; round += 1) {
      repeats.keep(unsent(round, 1_000));
      if (round % 2 === 0) repeats.forget(taskFor({ seq: round }));
    }
    expect(repeats.size).toBeGreaterThan(80);
    for (let round = 0; round < 1_000; round += 1) repeats.forget(taskFor({ seq: round }));
    expect(repeats.size).toBe(0);
    repeats.keep(unsent(1, 99_000));
    expect(has(repeats, 1)).toBe(true);
  });
});
