import { describe, expect, it } from 'vitest';
import { SqsRequestError } from '../../../src/errors.ts';
import { sqsStepHandler } from '../../../src/lambda/index.ts';
import { byMessageGroup } from '../../../src/lambda/records.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { deferred } from '../../support/deferred.ts';
import { FakeQueues, failedIds, invoke } from '../../support/fake-queues.ts';
import { settle } from '../../support/fake-timing.ts';
import { eventOf, recordOf, taskFor } from '../../support/sqs-records.ts';

const FIFO_ARN = 'arn:aws:sqs:us-east-1:123456789012:durable-tasks-step.fifo';

/** A record whose task is named `<group><number>`. */
function inGroup(name: string, seq: number, fields: { readonly body?: string; readonly eventSourceARN?: string } = {}) {
  const record = recordOf(taskFor({ seq, input: name }), { messageId: name, eventSourceARN: FIFO_ARN, ...fields });
  return { ...record, attributes: { ...record.attributes, MessageGroupId: name.slice(0, 1) } };
}

function heldSteps(concurrency = 10) {
  const started: string[] = [];
  const held = new Map<string, (error?: Error) => void>();
  const handler = sqsStepHandler(
    'step',
    async (name: string) => {
      started.push(name);
      const { promise, resolve, reject } = deferred<void>();
      held.set(name, (error) => (error === undefined ? resolve() : reject(error)));
      await promise;
      return name;
    },
    { concurrency, logger: capturingLogger() },
  );
  const end = async (name: string, error?: Error) => {
    await settle();
    held.get(name)?.(error);
    await settle();
  };
  return { handler, started, end };
}

describe('on a FIFO queue', () => {
  it('the records of a group run one after the other, each once the result before is accepted; groups run side by side', async () => {
    const { handler, started, end } = heldSteps();
    const accept = deferred<void>();
    const queues = new FakeQueues(({ output }) => (output === 'a1' ? accept.promise : undefined));
    const event = eventOf(...['a1', 'b1', 'a2', 'b2', 'c1'].map((name, seq) => inGroup(name, seq)));
    const response = invoke(handler, event, queues);
    await settle();
    expect(started).toEqual(['a1', 'b1', 'c1']);
    await end('a1');
    await end('b1');
    expect(started).toEqual(['a1', 'b1', 'c1', 'b2']);
    accept.resolve();
    await settle();
    expect(started).toEqual(['a1', 'b1', 'c1', 'b2', 'a2']);
    for (const name of ['c1', 'b2', 'a2']) await end(name);
    expect(failedIds(await response)).toEqual([]);
  });

  it('a step that fails does not hold its group up: it has a result', async () => {
    const { handler, started, end } = heldSteps();
    const queues = new FakeQueues();
    const response = invoke(handler, eventOf(inGroup('a1', 0), inGroup('a2', 1)), queues);
    await end('a1', new Error('no'));
    await end('a2');
    expect(started).toEqual(['a1', 'a2']);
    expect(failedIds(await response)).toEqual([]);
    expect(queues.accepted.map(({ status }) => status)).toEqual(['failed', 'completed']);
  });

  it.each([
    ['whose result is not accepted', {}, ['a1']],
    ['that is no task', { body: '{' }, []],
  ])('what stands behind a record %s does not run and comes back with it, other groups are not touched', async (_what, fields, ran) => {
    const started: string[] = [];
    const handler = sqsStepHandler('step', (name: string) => void started.push(name), { logger: capturingLogger() });
    const queues = new FakeQueues(({ seq }) =>
      seq === 0 ? Promise.reject(new SqsRequestError('s', 'InvalidMessageContents', false)) : undefined,
    );
    const event = eventOf(inGroup('a1', 0, fields), inGroup('a2', 1), inGroup('b1', 2), inGroup('a3', 3), inGroup('b2', 4));
    expect(failedIds(await invoke(handler, event, queues))).toEqual(['a1', 'a2', 'a3']);
    expect(started.toSorted()).toEqual([...ran, 'b1', 'b2']);
  });

  it('concurrency counts groups', async () => {
    const { handler, started, end } = heldSteps(1);
    const response = invoke(handler, eventOf(inGroup('a1', 0), inGroup('b1', 1), inGroup('a2', 2)), new FakeQueues());
    for (const name of ['a1', 'a2', 'b1']) await end(name);
    expect(started).toEqual(['a1', 'a2', 'b1']);
    expect(failedIds(await response)).toEqual([]);
  });
});

describe('byMessageGroup', () => {
  const names = (records: Parameters<typeof byMessageGroup>[0]) =>
    byMessageGroup(records).map((group) => group.map(({ messageId }) => messageId));

  it('takes groups of a standard queue for what they are there: tenants, not an order', () => {
    const standard = { eventSourceARN: FIFO_ARN.replace('.fifo', '') };
    expect(names([inGroup('a1', 0, standard), inGroup('a2', 1, standard)])).toEqual([['a1'], ['a2']]);
  });

  it('has one list per group, in order, and a message once that came twice', () => {
    expect(names(['a1', 'b1', 'a2', 'a1', 'b1'].map((name, seq) => inGroup(name, seq)))).toEqual([['a1', 'a2'], ['b1']]);
  });
});

describe('a message that comes twice in one batch', () => {
  it('runs its step once, and is reported once', async () => {
    let runs = 0;
    const run = () => {
      runs += 1;
    };
    const record = recordOf(taskFor());
    const handler = sqsStepHandler('step', run, { logger: capturingLogger() });
    expect(failedIds(await invoke(handler, eventOf(record, { ...record, receiptHandle: 'second' })))).toEqual([]);
    expect(runs).toBe(1);
    const poison = recordOf('{');
    expect(failedIds(await invoke(handler, eventOf(poison, { ...poison }, record)))).toEqual(['message']);
  });
});
