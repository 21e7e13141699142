import { describe, expect, it } from 'vitest';
import { refused, requestedOnly } from '../../support/strict-sqs.ts';

const QUEUE = 'http://127.0.0.1/1/q';
const FIFO = `${QUEUE}.fifo`;
const ARN = 'arn:aws:sqs:us-east-1:123456789012:dead';
const MIB = 1_048_576;

const entry = (fields: object = {}) => ({ Id: '0', MessageBody: 'x', ...fields });
const send = (fields: object, QueueUrl = QUEUE) => ['SendMessage', { QueueUrl, MessageBody: 'x', ...fields }] as const;
const batch = (...Entries: object[]) => ['SendMessageBatch', { QueueUrl: QUEUE, Entries }] as const;
const attribute = (name: string, value: object = { DataType: 'String', StringValue: 'a' }) =>
  send({ MessageAttributes: { [name]: value } });
const create = (QueueName: string, Attributes: object = {}) => ['CreateQueue', { QueueName, Attributes }] as const;
const receive = (fields: object) => ['ReceiveMessage', { QueueUrl: QUEUE, ...fields }] as const;
const attributes = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`a${index}`, { DataType: 'String', StringValue: 'a' }]));

type Request = readonly [action: string, input: object];
const codeOf = ([action, input]: Request) => refused(action, { ...input })?.code;

describe('what AWS takes passes', () => {
  it.each<[string, Request]>([
    [
      'a queue',
      create('durable-tasks_1', { VisibilityTimeout: '43200', RedrivePolicy: `{"deadLetterTargetArn":"${ARN}","maxReceiveCount":10}` }),
    ],
    ['a FIFO queue', create('q.fifo', { FifoQueue: 'true', ContentBasedDeduplication: 'false' })],
    [
      'a FIFO queue with a FIFO dead-letter queue',
      create('q.fifo', { FifoQueue: 'true', RedrivePolicy: `{"deadLetterTargetArn":"${ARN}.fifo","maxReceiveCount":"1"}` }),
    ],
    ['a name of 80 characters', create('a'.repeat(80))],
    ['a message of 1 MiB', send({ MessageBody: 'x'.repeat(MIB) })],
    ['text of many scripts', send({ MessageBody: 'naïve 日本 😀 \t\n\r\uFFFD' })],
    ['ten attributes', send({ MessageAttributes: attributes(10) })],
    ['a number', attribute('n', { DataType: 'Number.int', StringValue: '-1.5e3' })],
    ['bytes', attribute('b', { DataType: 'Binary', BinaryValue: 'AP8=' })],
    ['a group on a standard queue', send({ MessageGroupId: 'tenant' })],
    ['group and id on a FIFO queue', send({ MessageGroupId: 'g', MessageDeduplicationId: '!'.repeat(128) }, FIFO)],
    ['ten entries', batch(...Array.from({ length: 10 }, (_, index) => entry({ Id: `id_-${index}` })))],
    ['a batch of 1 MiB', batch(entry({ Id: 'a', MessageBody: 'x'.repeat(MIB / 2) }), entry({ Id: 'b', MessageBody: 'x'.repeat(MIB / 2) }))],
    [
      'a long poll',
      receive({ MaxNumberOfMessages: 10, WaitTimeSeconds: 20, VisibilityTimeout: 43_200, MessageSystemAttributeNames: ['All'] }),
    ],
    ['visibility 0', ['ChangeMessageVisibility', { ReceiptHandle: 'r', VisibilityTimeout: 0 }]],
    ['a delete', ['DeleteMessage', { ReceiptHandle: 'r' }]],
    ['an action of no rule', ['PurgeQueue', {}]],
  ])('%s', (_what, request) => {
    expect(codeOf(request)).toBeUndefined();
  });
});

describe('what AWS refuses is refused', () => {
  it.each<[string, string, Request]>([
    ['a name with a dot', 'InvalidParameterValue', create('payments.charge')],
    ['a name of 81 characters', 'InvalidParameterValue', create(`${'a'.repeat(76)}.fifo`, { FifoQueue: 'true' })],
    ['an empty name', 'InvalidParameterValue', ['GetQueueUrl', { QueueName: '' }]],
    ['.fifo without FifoQueue', 'InvalidParameterValue', create('q.fifo')],
    ['FifoQueue without .fifo', 'InvalidParameterValue', create('q', { FifoQueue: 'true' })],
    ['FifoQueue false', 'InvalidParameterValue', create('q', { FifoQueue: 'false' })],
    ['an unknown attribute', 'InvalidAttributeName', create('q', { Visibility: '1' })],
    ['an attribute that is no text', 'InvalidParameterValue', create('q', { VisibilityTimeout: 1 })],
    ['a visibility of more than 12 h', 'InvalidAttributeValue', create('q', { VisibilityTimeout: '43201' })],
    ['a retention of less than a minute', 'InvalidAttributeValue', create('q', { MessageRetentionPeriod: '59' })],
    ['a long poll of 21 s', 'InvalidAttributeValue', create('q', { ReceiveMessageWaitTimeSeconds: '21' })],
    ['a redrive policy that is no JSON', 'InvalidParameterValue', create('q', { RedrivePolicy: '{' })],
    ['a redrive policy without a target', 'InvalidParameterValue', create('q', { RedrivePolicy: '{"maxReceiveCount":1}' })],
    [
      'a receive count of 0',
      'InvalidParameterValue',
      create('q', { RedrivePolicy: `{"deadLetterTargetArn":"${ARN}","maxReceiveCount":0}` }),
    ],
    [
      'a standard dead-letter queue of a FIFO queue',
      'InvalidParameterValue',
      create('q.fifo', { FifoQueue: 'true', RedrivePolicy: `{"deadLetterTargetArn":"${ARN}","maxReceiveCount":1}` }),
    ],
    ['an attribute to read that there is not', 'InvalidAttributeName', ['GetQueueAttributes', { AttributeNames: ['Depth'] }]],
    ['no body', 'MissingParameter', send({ MessageBody: '' })],
    ['U+FFFE', 'InvalidMessageContents', send({ MessageBody: 'a\uFFFE' })],
    ['a control character', 'InvalidMessageContents', send({ MessageBody: 'a\u0000' })],
    ['half a surrogate pair', 'InvalidMessageContents', send({ MessageBody: '\uD83D' })],
    ['a byte over 1 MiB', 'InvalidParameterValue', send({ MessageBody: 'x'.repeat(MIB + 1) })],
    [
      'a byte over 1 MiB, attributes counted in',
      'InvalidParameterValue',
      send({ MessageBody: 'x'.repeat(MIB - 7), MessageAttributes: attributes(1) }),
    ],
    ['eleven attributes', 'InvalidParameterValue', send({ MessageAttributes: attributes(11) })],
    ['an attribute name with a space', 'InvalidParameterValue', attribute('a b')],
    ['an attribute name of AWS', 'InvalidParameterValue', attribute('AWS.x')],
    ['an attribute name that ends in a dot', 'InvalidParameterValue', attribute('a.')],
    ['an attribute name with two dots', 'InvalidParameterValue', attribute('a..b')],
    ['an empty attribute', 'InvalidParameterValue', attribute('a', { DataType: 'String', StringValue: '' })],
    ['an attribute of no type', 'InvalidParameterValue', attribute('a', { DataType: 'Text', StringValue: 'a' })],
    ['a number that is none', 'InvalidParameterValue', attribute('a', { DataType: 'Number', StringValue: 'a' })],
    ['a FIFO message without a group', 'MissingParameter', send({ MessageDeduplicationId: 'd' }, FIFO)],
    ['a FIFO message without a deduplication id', 'InvalidParameterValue', send({ MessageGroupId: 'g' }, FIFO)],
    [
      'a FIFO message with a delay',
      'InvalidParameterValue',
      send({ MessageGroupId: 'g', MessageDeduplicationId: 'd', DelaySeconds: 1 }, FIFO),
    ],
    ['a deduplication id on a standard queue', 'InvalidParameterValue', send({ MessageDeduplicationId: 'd' })],
    ['a group with a space', 'InvalidParameterValue', send({ MessageGroupId: 'a b' })],
    ['a group of 129 characters', 'InvalidParameterValue', send({ MessageGroupId: 'a'.repeat(129) })],
    ['no entries', 'EmptyBatchRequest', batch()],
    ['eleven entries', 'TooManyEntriesInBatchRequest', batch(...Array.from({ length: 11 }, (_, index) => entry({ Id: String(index) })))],
    ['an entry id with a dot', 'InvalidBatchEntryId', batch(entry({ Id: 'a.b' }))],
    ['no entry id', 'InvalidBatchEntryId', batch(entry({ Id: undefined }))],
    ['two entries of one id', 'BatchEntryIdsNotDistinct', batch(entry(), entry())],
    ['a bad entry among good ones', 'InvalidMessageContents', batch(entry(), entry({ Id: '1', MessageBody: '\uFFFF' }))],
    ['a batch over 1 MiB', 'BatchRequestTooLong', batch(entry({ MessageBody: 'x'.repeat(MIB) }), entry({ Id: '1' }))],
    ['a receive of 11', 'InvalidParameterValue', receive({ MaxNumberOfMessages: 11 })],
    ['a receive of 0', 'InvalidParameterValue', receive({ MaxNumberOfMessages: 0 })],
    ['a poll of 21 s', 'InvalidParameterValue', receive({ WaitTimeSeconds: 21 })],
    ['a visibility that is not whole', 'InvalidParameterValue', receive({ VisibilityTimeout: 0.5 })],
    ['a system attribute that there is not', 'InvalidAttributeName', receive({ MessageSystemAttributeNames: ['ReceiveCount'] })],
    ['the old name of the same list', 'InvalidAttributeName', receive({ AttributeNames: ['ReceiveCount'] })],
    ['a delete without a handle', 'ReceiptHandleIsInvalid', ['DeleteMessage', { ReceiptHandle: '' }]],
    [
      'deletes of one id',
      'BatchEntryIdsNotDistinct',
      [
        'DeleteMessageBatch',
        {
          Entries: [
            { Id: '0', ReceiptHandle: 'a' },
            { Id: '0', ReceiptHandle: 'b' },
          ],
        },
      ],
    ],
    ['a visibility over 12 h', 'InvalidParameterValue', ['ChangeMessageVisibility', { ReceiptHandle: 'a', VisibilityTimeout: 43_201 }]],
    [
      'a visibility below 0 in a batch',
      'InvalidParameterValue',
      ['ChangeMessageVisibilityBatch', { Entries: [{ Id: '0', ReceiptHandle: 'a', VisibilityTimeout: -1 }] }],
    ],
  ])('%s: %s', (_what, code, request) => {
    expect(codeOf(request)).toBe(code);
  });
});

describe('an answer', () => {
  const message = {
    MessageId: 'm',
    Attributes: { ApproximateReceiveCount: '1', SentTimestamp: '2' },
    MessageAttributes: { durable: { StringValue: '1' }, 'durable.x': { StringValue: '2' }, other: { StringValue: '3' } },
    MD5OfMessageAttributes: 'md5',
  };
  const received = (asked: object) => requestedOnly('ReceiveMessage', { ...asked }, { Messages: [message] })['Messages'];

  it.each<[object, object]>([
    [{}, { MessageId: 'm' }],
    [{ MessageSystemAttributeNames: ['SentTimestamp'] }, { MessageId: 'm', Attributes: { SentTimestamp: '2' } }],
    [{ AttributeNames: ['All'] }, { MessageId: 'm', Attributes: message.Attributes }],
    [{ MessageAttributeNames: ['durable'] }, { MessageId: 'm', MessageAttributes: { durable: { StringValue: '1' } } }],
    [
      { MessageAttributeNames: ['durable.*'] },
      { MessageId: 'm', MessageAttributes: { durable: { StringValue: '1' }, 'durable.x': { StringValue: '2' } } },
    ],
    [{ MessageAttributeNames: ['All'] }, { MessageId: 'm', MessageAttributes: message.MessageAttributes, MD5OfMessageAttributes: 'md5' }],
  ])('leaves out what the receive did not ask for: %j', (asked, expected) => {
    expect(received(asked)).toEqual([expected]);
  });

  it('leaves out queue attributes that were not asked for', () => {
    const answer = { Attributes: { QueueArn: 'arn', VisibilityTimeout: '30' } };
    expect(requestedOnly('GetQueueAttributes', { AttributeNames: ['QueueArn'] }, answer)).toEqual({ Attributes: { QueueArn: 'arn' } });
    expect(requestedOnly('GetQueueAttributes', {}, answer)).toEqual({ Attributes: {} });
  });

  it('stays as it is otherwise: an empty receive, other operations', () => {
    expect(requestedOnly('ReceiveMessage', {}, {})).toEqual({});
    expect(requestedOnly('GetQueueUrl', {}, { QueueUrl: QUEUE })).toEqual({ QueueUrl: QUEUE });
  });
});
