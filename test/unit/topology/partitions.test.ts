import { SQSClient } from '@aws-sdk/client-sqs';
import { describe, expect, it } from 'vitest';
import { isAwsHost, partitionOf } from '../../../src/topology/partitions.ts';
import { queueArn, queueOfArn, queueUrlOfArn, regionOfHost, sqsUrl } from '../../../src/topology/queue-address.ts';

/** A region or two of every partition, and the partition as ARNs have it. */
const REGIONS = [
  ['us-east-1', 'aws'],
  ['ap-southeast-7', 'aws'],
  ['mx-central-1', 'aws'],
  ['cn-north-1', 'aws-cn'],
  ['cn-northwest-1', 'aws-cn'],
  ['eusc-de-east-1', 'aws-eusc'],
  ['us-iso-east-1', 'aws-iso'],
  ['us-isob-east-1', 'aws-iso-b'],
  ['eu-isoe-west-1', 'aws-iso-e'],
  ['us-isof-south-1', 'aws-iso-f'],
  ['us-gov-west-1', 'aws-us-gov'],
] as const;

/** SQS's address as the AWS SDK has it. */
function sdkUrl(region: string, dualStack: boolean): URL {
  const client = new SQSClient({ region });
  try {
    return client.config.endpointProvider({ Region: region, UseFIPS: false, UseDualStack: dualStack }).url;
  } finally {
    client.destroy();
  }
}

describe.each(REGIONS)('region %s', (region, partition) => {
  const queue = { region, account: '123456789012', name: 'durable-results' };

  it(`the region belongs to the partition ${partition}`, () => {
    expect(partitionOf(region)[0]).toBe(partition);
    expect(queueArn(queue)).toBe(`arn:${partition}:sqs:${region}:123456789012:durable-results`);
  });

  it('sqsUrl, queueUrlOfArn and regionOfHost agree with the AWS SDK', () => {
    const { href, hostname } = sdkUrl(region, false);
    expect(sqsUrl(region)).toBe(href);
    expect(queueUrlOfArn(queueArn(queue))).toBe(`${href}123456789012/durable-results`);
    expect(queueOfArn(queueArn(queue))).toEqual(queue);
    expect(regionOfHost(hostname)).toBe(region);
  });

  it('isAwsHost knows its hosts, dual-stack ones too', () => {
    expect(isAwsHost(sdkUrl(region, false).hostname)).toBe(true);
    expect(isAwsHost(sdkUrl(region, true).hostname)).toBe(true);
  });
});

it('isAwsHost takes private endpoints for AWS, and neither a laptop nor a name that only ends alike', () => {
  expect(isAwsHost('vpce-0a1b2c3d-4e5f6a7b.sqs.eu-central-1.vpce.amazonaws.com')).toBe(true);
  for (const host of [
    '127.0.0.1',
    'localhost',
    'notamazonaws.com',
    'amazonaws.com.evil.example',
    'sqs.us-east-1.localhost.localstack.cloud',
  ]) {
    expect(isAwsHost(host)).toBe(false);
  }
});
