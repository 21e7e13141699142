import { describe, expect, it } from 'vitest';
import { endpointOf } from '../../../src/sqs/endpoint.ts';

describe('where a request goes', () => {
  it('the host of the queue URL wins, with its region, over the configured region', () => {
    const { url, region } = endpointOf('https://sqs-fips.us-west-2.amazonaws.com/123456789012/q', { region: 'eu-west-1' });
    expect([url.href, region]).toEqual(['https://sqs-fips.us-west-2.amazonaws.com/', 'us-west-2']);
  });

  it('the endpoint that was asked for wins over the queue URL', () => {
    const choice = { endpoint: 'http://127.0.0.1:4566/sqs', region: 'eu-west-1' };
    const { url, region } = endpointOf('https://sqs.us-west-2.amazonaws.com/123456789012/q', choice);
    expect([url.href, region]).toEqual(['http://127.0.0.1:4566/sqs', 'eu-west-1']);
  });

  it('keeps the port of the queue URL and takes the configured region where the host names none', () => {
    const { url, region } = endpointOf('http://localhost:9324/000000000000/q', { region: 'elasticmq-1' });
    expect([url.href, region]).toEqual(['http://localhost:9324/', 'elasticmq-1']);
  });

  it("a request without a queue URL goes to SQS's own address in the region", () => {
    expect(endpointOf(undefined, { region: 'cn-north-1' })).toEqual({
      url: new URL('https://sqs.cn-north-1.amazonaws.com.cn/'),
      region: 'cn-north-1',
    });
  });

  it('a region that would choose another host is refused', () => {
    expect(() => endpointOf(undefined, { region: 'x@evil.example/' })).toThrow('expected a region such as eu-west-1');
  });
});
