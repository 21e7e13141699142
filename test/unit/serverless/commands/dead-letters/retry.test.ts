import type { Message, MessageAttributeValue, SendMessageCommandInput } from '@aws-sdk/client-sqs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { deadLettersCommand } from '../../../../../src/serverless/commands/dead-letters/command.ts';
import { retryMessage } from '../../../../../src/serverless/commands/dead-letters/task-again.ts';
import { adminSqs, serviceOf, testContext } from '../context.ts';

const NOTE = 'durable-parked';
const suffix = fc.option(fc.stringMatching(/^[A-Za-z0-9.-]{1,20}$/), { nil: undefined });
const typed = (kind: string) => suffix.map((custom) => (custom === undefined ? kind : `${kind}.${custom}`));
/** Every kind of attribute that SQS takes, custom types included. */
const attribute: fc.Arbitrary<MessageAttributeValue> = fc.oneof(
  fc.record({ DataType: typed('String'), StringValue: fc.string({ unit: 'grapheme', minLength: 1 }) }),
  fc.record({
    DataType: typed('Number'),
    StringValue: fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.bigInt()).map(String),
  }),
  fc.record({ DataType: typed('Binary'), BinaryValue: fc.uint8Array({ minLength: 1 }) }),
);
const attributes = fc.dictionary(fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,20}$/), attribute, { maxKeys: 10 });
const fifo = fc.boolean();

/** A message as the SDK answers it: with the fields of both kinds of value. */
const received = (given: Readonly<Record<string, MessageAttributeValue>>, id: string, group: string | undefined): Message => ({
  MessageId: id,
  ReceiptHandle: `handle of ${id}`,
  Body: `body of ${id}`,
  Attributes: {
    SentTimestamp: '1',
    ApproximateReceiveCount: '11',
    AWSTraceHeader: 'Root=1-2-3',
    MessageDeduplicationId: 'of the first sending',
    SequenceNumber: '1',
    ...(group === undefined ? {} : { MessageGroupId: group }),
  },
  MessageAttributes: {
    ...given,
    AWSTraceHeader: { DataType: 'String', StringValue: 'Root=1-2-3' },
    [NOTE]: { DataType: 'String', StringValue: '{"resultSent":false}' },
  },
});

it('a retry sends body, group and every message attribute unchanged, except the trace and the note', () => {
  fc.assert(
    fc.property(attributes, fifo, fc.uuid(), (given, isFifo, fresh) => {
      const own = Object.fromEntries(Object.entries(given).filter(([name]) => name !== 'AWSTraceHeader' && name !== NOTE));
      const url = `https://sqs.eu-central-1.amazonaws.com/1/tasks${isFifo ? '.fifo' : ''}`;
      const sent = retryMessage(received(given, 'm', 'run-1'), url, fresh);
      expect(sent).toEqual({
        QueueUrl: url,
        MessageBody: 'body of m',
        MessageAttributes: own,
        MessageGroupId: 'run-1',
        ...(isFifo ? { MessageDeduplicationId: fresh } : {}),
      });
      expect(JSON.stringify(sent)).not.toContain('Root=1-2-3');
      expect(JSON.stringify(sent)).not.toContain('of the first sending');
    }),
  );
});

/** What SQS does with one message that is sent back. */
const fate = fc.constantFrom('accepted', 'send refused', 'delete refused');

it('a retry deletes a message after SQS has accepted it, gives each a new deduplication id, and exits 1 unless all were sent', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fate, { minLength: 1, maxLength: 25 }), fifo, async (fates, isFifo) => {
      const messages = fates.map((_, index) => received({}, String(index), `run-${index}`));
      const waiting = [...messages];
      const accepted: SendMessageCommandInput[] = [];
      const log: string[] = [];
      const fateOf = (text = '') => fates[Number(text.split(' ').at(-1))];
      const sqs = adminSqs({
        findQueueUrl: async (name) => `https://sqs/${name}`,
        attributes: async (url) => ({ ApproximateNumberOfMessages: url.includes('parked') ? String(messages.length) : '0' }),
        receive: async () => waiting.splice(0, 10),
        send: async (input) => {
          if (fateOf(input.MessageBody) === 'send refused') throw new Error('refused');
          accepted.push(input);
          log.push(`sent ${input.MessageBody?.split(' ').at(-1)}`);
        },
        delete: async (_url, handle) => {
          if (fateOf(handle) === 'delete refused') throw new Error('refused');
          log.push(`deleted ${handle.split(' ').at(-1)}`);
        },
        release: async (_url, handle) => void log.push(`released ${handle.split(' ').at(-1)}`),
      });
      const service = serviceOf({ pay: { name: 'pay', fifo: isFifo } });
      const { context, terminal } = testContext({ service, options: { retry: true, json: true }, openSqs: () => sqs });
      await deadLettersCommand.run(context);

      const expected = {
        accepted: (id: number) => [`sent ${id}`, `deleted ${id}`],
        'send refused': (id: number) => [`released ${id}`],
        'delete refused': (id: number) => [`sent ${id}`, `released ${id}`],
      };
      for (const [index, outcome] of fates.entries()) {
        expect(log.filter((line) => line.endsWith(` ${index}`))).toEqual(expected[outcome](index));
      }
      const ids = accepted.map(({ MessageDeduplicationId: id }) => id);
      if (isFifo) expect(new Set(ids).size).toBe(accepted.length);
      else expect(ids.every((id) => id === undefined)).toBe(true);
      expect(ids).not.toContain('of the first sending');
      expect(terminal.code).toBe(fates.every((outcome) => outcome === 'accepted') ? 0 : 1);
    }),
    { numRuns: 60 },
  );
});
