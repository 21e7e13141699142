import fc from 'fast-check';
import { expect, it } from 'vitest';
import { handleLine, linesOf } from '../../../src/sqs/in-order.ts';
import type { ReceivedMessage } from '../../../src/sqs/sqs-api.ts';

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

it('makes a line of each group of a FIFO queue, and of each message of a standard one', () => {
  const messages = [messageOf('a', 0), messageOf('b', 1), messageOf('a', 2)];
  const ids = (lines: (readonly ReceivedMessage[])[]) => lines.map((line) => line.map(({ messageId }) => messageId));
  expect(ids(linesOf(messages, FIFO))).toEqual([['a0', 'a2'], ['b1']]);
  expect(ids(linesOf(messages, STANDARD))).toEqual([['a0'], ['b1'], ['a2']]);
});

it('each message is handled or given back; within a group nothing is handled behind one that comes again, unless it is none of ours', async () => {
  const received = fc.array(fc.record({ group: fc.constantFrom('a', 'b', 'c'), fails: fc.boolean(), ours: fc.boolean() }), {
    maxLength: 10,
  });
  await fc.assert(
    fc.asyncProperty(received, async (plan) => {
      const messages = plan.map(({ group }, index) => messageOf(group, index));
      const handled: number[] = [];
      const givenBack: number[] = [];
      const indexOf = ({ messageId }: ReceivedMessage) => Number(messageId.slice(1));
      await Promise.all(
        linesOf(messages, FIFO).map((line) =>
          handleLine(
            line,
            async (message) => {
              handled.push(indexOf(message));
              const { fails, ours } = plan[indexOf(message)] ?? {};
              if (fails) return { againInSeconds: 7 };
              return ours ? 'acknowledged' : 'left alone';
            },
            async (message, delaySeconds) => {
              expect(delaySeconds).toBe(7);
              givenBack.push(indexOf(message));
            },
          ),
        ),
      );
      expect([...handled, ...givenBack].sort((a, b) => a - b)).toEqual(plan.map((_, index) => index));
      for (const group of ['a', 'b', 'c']) {
        const own = plan.flatMap((one, index) => (one.group === group ? [{ ...one, index }] : []));
        const firstFailure = own.findIndex(({ fails }) => fails);
        const expected = firstFailure < 0 ? own : own.slice(0, firstFailure + 1);
        expect(handled.filter((index) => plan[index]?.group === group)).toEqual(expected.map(({ index }) => index));
      }
    }),
  );
});
