import { describe, expect, it } from 'vitest';
import { SqsRequestError } from '../../../src/errors.ts';
import { sqsStepHandler } from '../../../src/lambda/index.ts';
import { UnsentResults } from '../../../src/lambda/unsent-results.ts';
import { STEP_FORMAT } from '../../../src/step/step-tasks.ts';
import { encodeRemoteTask, type RemoteTask } from '../../../src/wire/remote-task.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { FakeQueues, failedIds, invoke } from '../../support/fake-queues.ts';
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
  new FakeQueues(() => Promise.reject(new SqsRequestError('SendMessageBatch', sqsCode, transient)));

async function failToSend(handler: ReturnType<typeof countingStep>['handler'], task: RemoteTask, queues = down()) {
  await expect(invoke(handler, eventOf(recordOf(task)), queues)).rejects.toMatchObject({ name: 'ResultsNotAcceptedError' });
}

describe('a task that comes back to the process that ran it', () => {
  it.each([
    ['completed', 'good'],
    ['failed', 'bad'],
  ])('gets its %s result as the answer, and does not run again', async (status, input) => {
    const { handler, runs, logger } = countingStep();
    const task = taskFor({ input });
    await failToSend(handler, task);
    await failToSend(handler, task);
    const queues = new FakeQueues();
    expect(failedIds(await invoke(handler, eventOf(recordOf(task, { receiveCount: 3 })), queues))).toEqual([]);
    expect(runs()).toBe(1);
    expect(queues.accepted).toMatchObject([{ stepId: 'run:0', status }]);
    expect(logger.lines).toContainEqual({
      level: 'info',
      message: 'step not run again: this process still has its result',
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

describe('UnsentResults', () => {
  const { keyOf } = STEP_FORMAT;
  const unsent = (seq: number, size = 10) => {
    const task = taskFor({ seq });
    return { task, body: encodeRemoteTask(task), message: { body: 'x'.repeat(size) } };
  };
  const keep = (results: UnsentResults, seq: number, size?: number) => {
    const { task, body, message } = unsent(seq, size);
    results.keep(keyOf(task), body, message);
  };
  const has = (results: UnsentResults, seq: number) => results.find(keyOf(taskFor({ seq })), unsent(seq).body) !== undefined;
  const count = (results: UnsentResults, seqs: readonly number[]) => seqs.filter((seq) => has(results, seq)).length;

  it('keeps the newest, up to a number', () => {
    const results = new UnsentResults(2, 10_000);
    for (const seq of [0, 1, 0, 2]) keep(results, seq);
    expect([0, 1, 2].map((seq) => has(results, seq))).toEqual([true, false, true]);
  });

  it('keeps the newest, up to so many bytes of tasks and results, and nothing that is larger than all of them', () => {
    const each = Buffer.byteLength(unsent(0).body) + 1_000;
    const results = new UnsentResults(100, each * 2);
    for (const seq of [0, 1, 2]) keep(results, seq, 1_000);
    expect([0, 1, 2].map((seq) => has(results, seq))).toEqual([false, true, true]);
    keep(results, 3, each * 2);
    expect([1, 2, 3].map((seq) => has(results, seq))).toEqual([true, true, false]);
    // What was kept under the same key, smaller, is not its result any more.
    keep(results, 2, each * 2);
    expect([1, 2].map((seq) => has(results, seq))).toEqual([true, false]);
    for (const seq of [4, 5]) keep(results, seq, 1_000);
    expect(count(results, [0, 1, 2, 3, 4, 5])).toBe(2);
  });

  it('counts bytes right through keeping and forgetting', () => {
    const results = new UnsentResults(100, 100_000);
    const rounds = Array.from({ length: 1_000 }, (_, round) => round);
    for (let round = 0; round < 1_000; round += 1) {
      keep(results, round, 1_000);
      if (round % 2 === 0) results.forget(keyOf(taskFor({ seq: round })));
    }
    expect(count(results, rounds)).toBeGreaterThan(80);
    for (let round = 0; round < 1_000; round += 1) results.forget(keyOf(taskFor({ seq: round })));
    expect(count(results, rounds)).toBe(0);
    keep(results, 1, 99_000);
    expect(has(results, 1)).toBe(true);
  });
});
