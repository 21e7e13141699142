import { describe, expect, it } from 'vitest';
import { queueNameOfArn, queueUrlOfArn } from '../../../src/topology/queue-arn.ts';

describe('a queue’s ARN', () => {
  it.each([
    ['arn:aws:sqs:us-east-1:123456789012:q.fifo', 'https://sqs.us-east-1.amazonaws.com/123456789012/q.fifo'],
    ['arn:aws-us-gov:sqs:us-gov-west-1:1:q', 'https://sqs.us-gov-west-1.amazonaws.com/1/q'],
    ['arn:aws-cn:sqs:cn-north-1:1:q', 'https://sqs.cn-north-1.amazonaws.com.cn/1/q'],
    ['arn:aws-eusc:sqs:eusc-de-east-1:1:q', 'https://sqs.eusc-de-east-1.amazonaws.eu/1/q'],
  ])('%s leads to %s', (arn, url) => {
    expect(queueUrlOfArn(arn)).toBe(url);
    expect(queueNameOfArn(arn)).toBe(arn.split(':').at(-1));
  });

  it.each([undefined, '', 'q', 'arn:aws:sns:us-east-1:1:t', 'arn:aws:sqs:us-east-1:1', 'arn:aws:sqs:us-east-1:1:q:sub'])(
    'is not %s',
    (arn) => {
      expect(queueUrlOfArn(arn)).toBeUndefined();
      expect(queueNameOfArn(arn)).toBeUndefined();
    },
  );
});
