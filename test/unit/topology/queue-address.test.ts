import { describe, expect, it } from 'vitest';
import { queueOfArn, queueUrlOfArn, regionOfHost, sqsUrl } from '../../../src/topology/queue-address.ts';

describe('the ARN of a queue', () => {
  it.each([
    ['arn:aws:sqs:us-east-1:123456789012:q.fifo', 'https://sqs.us-east-1.amazonaws.com/123456789012/q.fifo'],
    ['arn:aws-us-gov:sqs:us-gov-west-1:1:q', 'https://sqs.us-gov-west-1.amazonaws.com/1/q'],
    ['arn:aws-cn:sqs:cn-north-1:1:q', 'https://sqs.cn-north-1.amazonaws.com.cn/1/q'],
    ['arn:aws-iso-e:sqs:eu-isoe-west-1:1:q', 'https://sqs.eu-isoe-west-1.cloud.adc-e.uk/1/q'],
    ['arn:aws-iso-f:sqs:us-isof-south-1:1:q', 'https://sqs.us-isof-south-1.csp.hci.ic.gov/1/q'],
    ['arn:aws:sqs:elasticmq:queue:payments.charge-card', 'https://sqs.elasticmq.amazonaws.com/queue/payments.charge-card'],
  ])('%s leads to %s', (arn, url) => {
    expect(queueUrlOfArn(arn)).toBe(url);
    expect(queueOfArn(arn)?.name).toBe(arn.split(':').at(-1));
  });

  it.each([
    undefined,
    '',
    'q',
    'arn:aws:sns:us-east-1:1:t',
    'arn:aws:sqs:us-east-1:1',
    'arn:aws:sqs:us-east-1:1:q:sub',
    'arn:aws:sqs::1:q',
    'arn:aws:sqs:us-east-1::q',
    'arn:aws:sqs:us-east-1:1:',
    'arn:amazon:sqs:us-east-1:1:q',
    'arn:aws/:sqs:us-east-1:1:q',
    // Each of these would choose another host for a signed request.
    'arn:aws:sqs:us-east-1.evil.example/:1:q',
    'arn:aws:sqs:x@evil.example/:1:q',
    'arn:aws:sqs:evil.example#:1:q',
    'arn:aws:sqs:evil.example?:1:q',
    'arn:aws:sqs:evil.example\\:1:q',
    'arn:aws:sqs:us-east-1\n:1:q',
    'arn:aws:sqs:us-east-1:1/@evil.example:q',
    'arn:aws:sqs:us-east-1:1:../q',
    `arn:aws:sqs:${'a'.repeat(64)}:1:q`,
  ])('%j is none', (arn) => {
    expect(queueOfArn(arn)).toBeUndefined();
    expect(queueUrlOfArn(arn)).toBeUndefined();
  });
});

describe('sqsUrl', () => {
  it('takes any label of a host name for a region: a newer one, and that of an SQS on a laptop', () => {
    expect(sqsUrl('us-south-3')).toBe('https://sqs.us-south-3.amazonaws.com/');
    expect(sqsUrl('elasticmq')).toBe('https://sqs.elasticmq.amazonaws.com/');
  });

  it.each(['', 'x@evil.example/', 'us-east-1.evil.example/', 'us-east-1#', 'us-east-1?', 'us east 1', 'us-east-1\n', '*'])(
    'refuses %j, which is not one',
    (region) => {
      expect(() => sqsUrl(region)).toThrow(new TypeError(`expected a region such as eu-west-1, got "${region}"`));
    },
  );
});

describe('regionOfHost', () => {
  it.each([
    ['sqs.us-east-1.amazonaws.com', 'us-east-1'],
    ['sqs-fips.us-gov-west-1.amazonaws.com', 'us-gov-west-1'],
    ['sqs.cn-north-1.amazonaws.com.cn', 'cn-north-1'],
    ['sqs.eusc-de-east-1.amazonaws.eu', 'eusc-de-east-1'],
    ['sqs.us-iso-east-1.c2s.ic.gov', 'us-iso-east-1'],
    ['sqs.ap-southeast-7.api.aws', 'ap-southeast-7'],
    ['us-east-1.queue.amazonaws.com', 'us-east-1'],
    ['cn-north-1.queue.amazonaws.com.cn', 'cn-north-1'],
    ['queue.amazonaws.com', 'us-east-1'],
    ['vpce-0a1b2c3d-4e5f6a7b.sqs.eu-central-1.vpce.amazonaws.com', 'eu-central-1'],
    ['vpce-0a1b2c3d-4e5f6a7b-us-east-1a.sqs.us-east-1.vpce.amazonaws.com', 'us-east-1'],
    ['sqs.us-east-1.localhost.localstack.cloud', 'us-east-1'],
  ])('reads %s as %s', (host, region) => {
    expect(regionOfHost(host)).toBe(region);
  });

  it.each(['127.0.0.1', 'localhost', 'sqs.localhost.localstack.cloud', 'elasticmq', 's3.us-east-1.amazonaws.com', 'sqs.example.com'])(
    'finds none in %s',
    (host) => {
      expect(regionOfHost(host)).toBeUndefined();
    },
  );
});
