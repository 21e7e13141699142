import { describe, expect, it } from 'vitest';
import { endpointOf, endpointOfRegion, regionOfHost } from '../../../src/sqs/signed-endpoint.ts';

describe('the region of a host', () => {
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
  ])('%s is %s', (host, region) => {
    expect(regionOfHost(host)).toBe(region);
  });

  it.each(['127.0.0.1', 'localhost', 'sqs.localhost.localstack.cloud', 'elasticmq', 's3.us-east-1.amazonaws.com', 'sqs.example.com'])(
    '%s names none',
    (host) => {
      expect(regionOfHost(host)).toBeUndefined();
    },
  );
});

describe('where a request goes', () => {
  it('is the host of the queue URL, whose region wins over the one that was configured', () => {
    const { url, region } = endpointOf('https://sqs-fips.us-west-2.amazonaws.com/123456789012/q', { region: 'eu-west-1' });
    expect([url.href, region]).toEqual(['https://sqs-fips.us-west-2.amazonaws.com/', 'us-west-2']);
  });

  it('is the endpoint that was asked for, whatever the queue URL', () => {
    const choice = { endpoint: 'http://127.0.0.1:4566/sqs', region: 'eu-west-1' };
    const { url, region } = endpointOf('https://sqs.us-west-2.amazonaws.com/123456789012/q', choice);
    expect([url.href, region]).toEqual(['http://127.0.0.1:4566/sqs', 'eu-west-1']);
  });

  it('keeps the port of the queue URL and takes the configured region where the host names none', () => {
    const { url, region } = endpointOf('http://localhost:9324/000000000000/q', { region: 'elasticmq-1' });
    expect([url.href, region]).toEqual(['http://localhost:9324/', 'elasticmq-1']);
  });

  it.each([
    ['us-east-1', 'https://sqs.us-east-1.amazonaws.com/'],
    ['us-gov-east-1', 'https://sqs.us-gov-east-1.amazonaws.com/'],
    ['cn-northwest-1', 'https://sqs.cn-northwest-1.amazonaws.com.cn/'],
    ['eusc-de-east-1', 'https://sqs.eusc-de-east-1.amazonaws.eu/'],
    ['us-isob-east-1', 'https://sqs.us-isob-east-1.sc2s.sgov.gov/'],
    ['us-iso-east-1', 'https://sqs.us-iso-east-1.c2s.ic.gov/'],
  ])('is SQS in region %s without a queue URL', (region, href) => {
    expect(endpointOf(undefined, { region })).toEqual({ url: new URL(href), region });
    expect(endpointOfRegion(region).url.href).toBe(href);
  });
});
