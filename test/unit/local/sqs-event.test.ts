import type { Message } from '@aws-sdk/client-sqs';
import { describe, expect, it } from 'vitest';
import { eventSource, sqsRecord } from '../../../src/local/sqs-event.ts';

const SOURCE = { arn: 'arn:aws:sqs:eu-west-1:123456789012:q', region: 'eu-west-1' };

const MESSAGE: Message = {
  MessageId: 'id-1',
  ReceiptHandle: 'handle-1',
  Body: 'hello',
  MD5OfBody: '5d41402abc4b2a76b9719d911017c592',
  Attributes: {
    ApproximateReceiveCount: '2',
    SentTimestamp: '1700000000000',
    SenderId: 'AIDAEXAMPLE',
    ApproximateFirstReceiveTimestamp: '1700000000005',
  },
};

describe('sqsRecord', () => {
  it('has the fields of a record of a standard queue, and no others', () => {
    expect(sqsRecord(MESSAGE, SOURCE)).toStrictEqual({
      messageId: 'id-1',
      receiptHandle: 'handle-1',
      body: 'hello',
      attributes: {
        ApproximateReceiveCount: '2',
        SentTimestamp: '1700000000000',
        SenderId: 'AIDAEXAMPLE',
        ApproximateFirstReceiveTimestamp: '1700000000005',
      },
      messageAttributes: {},
      md5OfBody: '5d41402abc4b2a76b9719d911017c592',
      eventSource: 'aws:sqs',
      eventSourceARN: SOURCE.arn,
      awsRegion: 'eu-west-1',
    });
  });

  it('passes FIFO, trace and dead-letter attributes on, and none that Lambda does not give', () => {
    const more = {
      MessageGroupId: 'group',
      MessageDeduplicationId: 'dedup',
      SequenceNumber: '18849496460467696128',
      AWSTraceHeader: 'Root=1-5759e988-bd862e3fe1be46a994272793',
      DeadLetterQueueSourceArn: 'arn:aws:sqs:eu-west-1:123456789012:source',
    };
    const unknown: Record<string, string> = { SqsManagedSseEnabled: 'true' };
    const record = sqsRecord({ ...MESSAGE, Attributes: { ...MESSAGE.Attributes, ...more, ...unknown } }, SOURCE);
    expect(record.attributes).toStrictEqual({ ...MESSAGE.Attributes, ...more });
  });

  it('gives message attributes in the shape of Lambda', () => {
    const record = sqsRecord(
      {
        ...MESSAGE,
        MD5OfMessageAttributes: 'c3',
        MessageAttributes: {
          text: { DataType: 'String', StringValue: 'a' },
          number: { DataType: 'Number', StringValue: '12' },
          bytes: { DataType: 'Binary.png', BinaryValue: new Uint8Array([0, 255, 16]) },
        },
      },
      SOURCE,
    );
    expect(record.md5OfMessageAttributes).toBe('c3');
    expect(record.messageAttributes).toStrictEqual({
      text: { stringValue: 'a', stringListValues: [], binaryListValues: [], dataType: 'String' },
      number: { stringValue: '12', stringListValues: [], binaryListValues: [], dataType: 'Number' },
      bytes: { binaryValue: 'AP8Q', stringListValues: [], binaryListValues: [], dataType: 'Binary.png' },
    });
  });
});

describe('eventSource', () => {
  it.each([
    ['https://sqs.eu-west-1.amazonaws.com/123456789012/orders', 'arn:aws:sqs:eu-west-1:123456789012:orders'],
    ['https://eu-west-1.queue.amazonaws.com/123456789012/orders', 'arn:aws:sqs:eu-west-1:123456789012:orders'],
    ['https://sqs.cn-north-1.amazonaws.com.cn/123456789012/orders', 'arn:aws-cn:sqs:cn-north-1:123456789012:orders'],
    ['https://sqs.us-gov-west-1.amazonaws.com/123456789012/a.fifo', 'arn:aws-us-gov:sqs:us-gov-west-1:123456789012:a.fifo'],
    ['http://sqs.us-west-2.localhost:4566/000000000000/orders', 'arn:aws:sqs:us-west-2:000000000000:orders'],
    ['https://sqs.us-isof-south-1.csp.hci.ic.gov/1/orders', 'arn:aws-iso-f:sqs:us-isof-south-1:1:orders'],
    ['http://sqs.localhost.localstack.cloud:4566/000000000000/orders', 'arn:aws:sqs:ap-south-1:000000000000:orders'],
    ['http://127.0.0.1:5000/123456789012/orders', 'arn:aws:sqs:ap-south-1:123456789012:orders'],
    ['http://127.0.0.1:9324/orders', 'arn:aws:sqs:ap-south-1:000000000000:orders'],
  ])('reads %s', (url, arn) => {
    expect(eventSource(url, 'ap-south-1')).toEqual({ arn, region: arn.split(':')[3] });
  });
});
