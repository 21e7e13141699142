import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byMessageGroup, handleInOrder, MessageGroups } from '../../../src/sqs/message-groups.ts';
import type { ReceivedMessage } from '../../../src/sqs/sqs-api.ts';
import { settle } from '../../support/fake-timing.ts';

const STANDARD = 'https://sqs.eu-west-1.amazonaws.com/1/q';
const FIFO = `${STANDARD}.fifo`;

const messageOf = (groupId: string, index: number): ReceivedMessage => ({
  messageId: `${groupId}${index}`,
  receiptHandle: '',
  body: '',
  receiveCount: 1,
  attributeNames: [],
  groupId,
});

/** Work that is noted when it starts, and ends when told to. */
function controlled(groups: MessageGroups, started: string[]) {
  return (name: string, ...groupIds: string[]) => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const done = groups.run(groupIds, () => {
      started.push(name);
      return promise;
    });
    return { done, resolve: () => resolve(name), reject };
  };
}

describe('MessageGroups', () => {
  it('runs work of one group in order, and of different groups at once', async () => {
    const started: string[] = [];
    const groups = new MessageGroups();
    const run = controlled(groups, started);
    const first = run('a1', 'a');
    const second = run('a2', 'a');
    run('b1', 'b');
    expect(started).toEqual(['a1', 'b1']);
    first.resolve();
    expect(await first.done).toBe('a1');
    await settle();
    expect(started).toEqual(['a1', 'b1', 'a2']);
    expect(groups.size).toBe(2);
    second.resolve();
    await settle();
    expect(groups.size).toBe(1);
  });

  it('runs work on several groups after all earlier work on any of them', async () => {
    const started: string[] = [];
    const run = controlled(new MessageGroups(), started);
    const first = run('first', 'a', 'b');
    const second = run('second', 'b', 'c');
    const other = run('other', 'd');
    const third = run('third', 'c');
    await settle();
    expect(started).toEqual(['first', 'other']);
    first.resolve();
    await settle();
    expect(started).toEqual(['first', 'other', 'second']);
    second.resolve();
    await settle();
    expect(started).toEqual(['first', 'other', 'second', 'third']);
    third.resolve();
    other.resolve();
    expect(await Promise.all([second.done, third.done, other.done])).toEqual(['second', 'third', 'other']);
  });

  it('goes on after work that failed, and forgets a group that has nothing left', async () => {
    const groups = new MessageGroups();
    const failed = groups.run(['a'], () => Promise.reject(new Error('failed')));
    const next = groups.run(['a'], async () => 'next');
    await expect(failed).rejects.toThrow('failed');
    expect(await next).toBe('next');
    await settle();
    expect(groups.size).toBe(0);
  });
});

describe('byMessageGroup', () => {
  it('gives one list per group of a FIFO queue, and one per message of a standard queue', () => {
    const messages = [messageOf('a', 0), messageOf('b', 1), messageOf('a', 2)];
    const ids = (lists: (readonly ReceivedMessage[])[]) => lists.map((list) => list.map(({ messageId }) => messageId));
    expect(ids(byMessageGroup(messages, FIFO))).toEqual([['a0', 'a2'], ['b1']]);
    expect(ids(byMessageGroup(messages, STANDARD))).toEqual([['a0'], ['b1'], ['a2']]);
  });
});

describe('handleInOrder', () => {
  it('handles a group up to the first message that SQS is to deliver again, and makes the rest visible', async () => {
    const kinds = fc.constantFrom('deleted' as const, 'skipped' as const, 'redelivered' as const);
    const received = fc.array(fc.record({ group: fc.constantFrom('a', 'b', 'c'), kind: kinds }), { maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(received, async (plan) => {
        const messages = plan.map(({ group }, index) => messageOf(group, index));
        const handled: number[] = [];
        const madeVisible: number[] = [];
        const indexOf = ({ messageId }: ReceivedMessage) => Number(messageId.slice(1));
        const handle = async (message: ReceivedMessage) => {
          handled.push(indexOf(message));
          const kind = plan[indexOf(message)]?.kind ?? 'deleted';
          return kind === 'redelivered' ? { redeliveredInSeconds: 7 } : kind;
        };
        const release = async (message: ReceivedMessage, delaySeconds: number) => {
          expect(delaySeconds).toBe(7);
          madeVisible.push(indexOf(message));
        };
        await Promise.all(byMessageGroup(messages, FIFO).map((group) => handleInOrder(group, handle, release)));
        expect([...handled, ...madeVisible].sort((a, b) => a - b)).toEqual(plan.map((_, index) => index));
        for (const group of ['a', 'b', 'c']) {
          const own = plan.flatMap((one, index) => (one.group === group ? [{ ...one, index }] : []));
          const first = own.findIndex(({ kind }) => kind === 'redelivered');
          const expected = first < 0 ? own : own.slice(0, first + 1);
          expect(handled.filter((index) => plan[index]?.group === group)).toEqual(expected.map(({ index }) => index));
        }
      }),
    );
  });
});
