import type { SQSRecord } from 'aws-lambda';
import { describe, expect, it } from 'vitest';
import { payloadKey } from '../../../../../src/payloads/payload-key.ts';
import { encodePointer } from '../../../../../src/payloads/pointer.ts';
import { outcomeText } from '../../../../../src/serverless/commands/local/outcome-text.ts';
import { type StepOutcome, StepOutcomes } from '../../../../../src/serverless/commands/local/step-outcomes.ts';

const task = (runId: string) => ({ runId, seq: 0, name: 'pay', stepId: `${runId}:0`, group: 'pay', input: { card: '4111' }, attempt: 1 });
const completed = (runId: string) => JSON.stringify({ runId, seq: 0, stepId: `${runId}:0`, status: 'completed', output: { card: '4111' } });
const failed = (runId: string, error: object) => JSON.stringify({ runId, seq: 0, stepId: `${runId}:0`, status: 'failed', error });

function record(messageId: string, body: string): SQSRecord {
  const attributes = { ApproximateReceiveCount: '1', SentTimestamp: '1', SenderId: 'a', ApproximateFirstReceiveTimestamp: '1' };
  const source = { eventSource: 'aws:sqs', eventSourceARN: 'arn', awsRegion: 'r', md5OfBody: '', receiptHandle: 'h' };
  return { messageId, body, attributes, messageAttributes: {}, ...source };
}
const taskRecord = (runId: string) => record(runId, JSON.stringify(task(runId)));

/** What became of some records, after some results were sent. */
function outcomes(
  results: readonly string[],
  records: readonly SQSRecord[],
  failedIds: readonly string[] = [],
  stored: Record<string, string> = {},
) {
  const known = new StepOutcomes(async ({ key }) => {
    const body = stored[key];
    if (body === undefined) throw new Error('no such object');
    return body;
  });
  for (const result of results) known.noteResult(result);
  return known.outcomesOf(records, new Set(failedIds));
}

describe('StepOutcomes', () => {
  it('goes by the results that were sent, whatever else was deleted', async () => {
    const declined = failed('b', { message: 'the card was declined', code: 'card_declined' });
    expect(await outcomes([completed('a'), declined], [taskRecord('a'), taskRecord('b'), taskRecord('c')])).toEqual([
      { runId: 'a', stepId: 'a:0', outcome: 'ok' },
      { runId: 'b', stepId: 'b:0', outcome: 'failed', code: 'card_declined', message: 'the card was declined' },
      { runId: 'c', stepId: 'c:0', outcome: 'no result' },
    ]);
  });

  it('calls a record that stays on its queue redelivered, also where a result was sent', async () => {
    expect(await outcomes([completed('a')], [taskRecord('a')], ['a'])).toEqual([{ runId: 'a', stepId: 'a:0', outcome: 'redelivered' }]);
  });

  it('knows no run of a body that is no task', async () => {
    expect(await outcomes([], [record('m', 'poison')])).toEqual([{ outcome: 'no result' }]);
  });

  it('counts a result once: the next attempt of its step has another', async () => {
    const known = new StepOutcomes(() => Promise.reject(new Error('not called')));
    known.noteResult(completed('a'));
    await known.outcomesOf([taskRecord('a')], new Set());
    expect(await known.outcomesOf([taskRecord('a')], new Set())).toMatchObject([{ outcome: 'no result' }]);
  });

  it('reads stored bodies by their keys', async () => {
    const pointer = (kind: 'task' | 'result', runId: string) =>
      encodePointer({ bucket: 'b', key: payloadKey({ kind, runId, stepId: `${runId}:0`, seq: 0 }, 'uuid', 'durable/') });
    const stored = { 'durable/result/a/a%3A0/0/uuid': completed('a'), 'durable/result/b/b%3A0/0/uuid': failed('b', { message: 'm' }) };
    const records = ['a', 'b', 'c'].map((runId) => record(runId, pointer('task', runId)));
    const results = ['a', 'b', 'c'].map((runId) => pointer('result', runId));
    expect(await outcomes(results, records, [], stored)).toEqual([
      { runId: 'a', stepId: 'a:0', outcome: 'ok' },
      { runId: 'b', stepId: 'b:0', outcome: 'failed', message: 'm' },
      { runId: 'c', stepId: 'c:0', outcome: 'failed', message: 'its stored result cannot be read: no such object' },
    ]);
  });

  it('knows what became of the turns of a workflow by their decisions', async () => {
    const turn = (runId: string) =>
      record(
        runId,
        JSON.stringify({ taskId: `${runId}:wf:1`, runId, workflow: 'w', workflowVersion: '1', history: [], group: 'w', attempt: 1 }),
      );
    const decision = (runId: string, status: string, more: object = {}) =>
      JSON.stringify({ runId, taskId: `${runId}:wf:1`, status, commands: [], ...more });
    const commands = [
      { kind: 'recordStep', seq: 0, name: 'now', output: 1 },
      { kind: 'call', seq: 1, name: 'pay', group: '', input: { card: '4111' } },
      { kind: 'sleep', seq: 2, ms: 20 },
      { kind: 'waitSignal', seq: 3, signal: 'go' },
      { kind: 'startChild', seq: 4, workflow: 'ship', input: null },
    ];
    const decisions = [
      decision('a', 'completed', { output: 1 }),
      decision('b', 'failed', { error: { message: 'm', code: 'nondeterminism' } }),
      decision('c', 'continue', { commands }),
    ];
    expect(await outcomes(decisions, ['a', 'b', 'c', 'd'].map(turn))).toEqual([
      { runId: 'a', stepId: 'a:wf:1', outcome: 'ok' },
      { runId: 'b', stepId: 'b:wf:1', outcome: 'failed', code: 'nondeterminism', message: 'm' },
      { runId: 'c', stepId: 'c:wf:1', outcome: 'waits', waitsFor: ['step pay', 'a timer of 20 ms', 'signal go', 'child ship'] },
      { runId: 'd', stepId: 'd:wf:1', outcome: 'no result' },
    ]);
  });

  it('ignores messages that are no result, and forgets the oldest of 10,000', async () => {
    const results = ['{}', 'no JSON', ...Array.from({ length: 10_001 }, (_, index) => completed(`r${index}`))];
    expect(await outcomes(results, [taskRecord('r0'), taskRecord('r1')])).toMatchObject([{ outcome: 'no result' }, { outcome: 'ok' }]);
  });
});

describe('outcomeText', () => {
  const of = (...given: StepOutcome[]) => outcomeText(given, 'tasks');
  const ids = { runId: 'r', stepId: 'r:0' };
  const invalid = 'input does not fit its schema: amountCents: expected number, got string';

  it.each<[StepOutcome, string]>([
    [{ ...ids, outcome: 'ok' }, 'ok'],
    [{ ...ids, outcome: 'failed', code: 'card_declined', message: 'the card was declined' }, 'failed: card_declined'],
    [{ ...ids, outcome: 'failed', message: 'the warehouse\n is busy' }, 'failed: the warehouse'],
    [{ ...ids, outcome: 'failed', code: 'invalid_input', message: invalid }, `failed: invalid_input: ${invalid}`],
    [{ ...ids, outcome: 'failed', code: '\u001b[2J', message: '' }, 'failed: \\u001b[2J'],
    [{ ...ids, outcome: 'waits', waitsFor: ['step pay', 'step ship'] }, 'waits for step pay, step ship'],
    [{ ...ids, outcome: 'waits', waitsFor: Array.from({ length: 9 }, () => 'step pay') }, 'waits for step pay, … (9)'],
    [{ ...ids, outcome: 'waits', waitsFor: [] }, 'waits for what is under way'],
    [{ ...ids, outcome: 'redelivered' }, 'redelivered after the visibility timeout'],
    [{ ...ids, outcome: 'no result' }, 'deleted without a result: its run waits for ever'],
    [{ outcome: 'no result' }, 'deleted: it was no task'],
  ])('says of %j: %s', (outcome, text) => {
    expect(of(outcome)).toBe(text);
  });

  it('counts what became of several', () => {
    const ok = { ...ids, outcome: 'ok' } as const;
    const declined = { ...ids, outcome: 'failed', code: 'card_declined', message: 'm' } as const;
    expect(of(ok, declined, ok)).toBe('2 ok, 1 failed: card_declined');
    expect(of(ok, ok)).toBe('2 ok');
  });

  it('says of dead letters that they are parked, and whether the engine was told', () => {
    const told = { ...ids, outcome: 'failed', code: 'dead_letter', message: 'm' } as const;
    expect(outcomeText([told, { outcome: 'no result' }, { ...ids, outcome: 'redelivered' }], 'dead letters')).toBe(
      '1 parked, engine told, 1 parked, 1 redelivered after the visibility timeout',
    );
  });
});
