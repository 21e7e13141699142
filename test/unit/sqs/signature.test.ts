import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import aws4 from 'aws4';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type SignedRequest, signedRequest, type UnsignedRequest } from '../../../src/sqs/signature.ts';

/** What the AWS SDK's signer hashes with. */
class Sha256 {
  readonly #hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    throw new Error('not used');
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

const base64 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/='.split('');
const secretLike = fc.string({ unit: fc.constantFrom(...base64), minLength: 1, maxLength: 80 });

const requests: fc.Arbitrary<UnsignedRequest> = fc.record({
  operation: fc.constantFrom('SendMessageBatch', 'ChangeMessageVisibilityBatch', 'GetQueueUrl'),
  body: fc.string({ unit: 'binary' }).map((text) => JSON.stringify({ text })),
  endpoint: fc.record({
    url: fc
      .tuple(
        fc.constantFrom('https://sqs.us-east-1.amazonaws.com', 'http://127.0.0.1:4566', 'https://sqs.cn-north-1.amazonaws.com.cn:8443'),
        fc.array(
          fc.stringMatching(/^[a-zA-Z0-9 _.~!'()*+,;=:@$&-]+$/).filter((part) => !/^\.+$/.test(part)),
          { maxLength: 3 },
        ),
      )
      .map(([origin, parts]) => new URL(`/${parts.join('/')}`, origin)),
    region: fc.constantFrom('us-east-1', 'cn-north-1', 'us-gov-west-1', 'eusc-de-east-1'),
  }),
  credentials: fc.record(
    { accessKeyId: fc.stringMatching(/^[A-Z0-9]{16,20}$/), secretAccessKey: secretLike, sessionToken: secretLike },
    { requiredKeys: ['accessKeyId', 'secretAccessKey'] },
  ),
  at: fc.date({ min: new Date('2020-01-01'), max: new Date('2090-01-01'), noInvalidDate: true }),
  traceId: fc.option(fc.constant('Root=1-65a1b2c3-0123456789abcdef01234567;Sampled=1'), { nil: undefined }),
});

function authorization({ headers }: SignedRequest) {
  return headers['authorization'];
}

describe('a signature', () => {
  it("equals the AWS SDK's own, whatever the request", async () => {
    await fc.assert(
      fc.asyncProperty(requests, async (request) => {
        const signed = signedRequest(request);
        const { url, region } = request.endpoint;
        const { authorization: ours, 'content-length': _length, ...headers } = signed.headers;
        const { sessionToken, ...keys } = request.credentials;
        const credentials = sessionToken === undefined ? keys : { ...keys, sessionToken };
        const signer = new SignatureV4({ service: 'sqs', region, credentials, sha256: Sha256, applyChecksum: false });
        const theirs = await signer.sign(
          { method: 'POST', protocol: url.protocol, hostname: url.hostname, path: url.pathname, headers, body: request.body },
          { signingDate: request.at },
        );
        expect(ours).toBe(theirs.headers['authorization']);
      }),
      { numRuns: 300 },
    );
  });

  it('equals that of aws4 too, which encodes no path twice', () => {
    const plain = requests.filter(({ endpoint }) => !/[^/\w.~-]/.test(endpoint.url.pathname));
    fc.assert(
      fc.property(plain, (request) => {
        const { endpoint, body, credentials } = request;
        const { authorization: ours, 'content-length': _length, ...headers } = signedRequest(request).headers;
        // It adds the length, which we leave unsigned.
        const unsigned = { extraHeadersToIgnore: { 'content-length': true } };
        const theirs = { method: 'POST', path: endpoint.url.pathname, service: 'sqs', region: endpoint.region, headers, body, ...unsigned };
        const { accessKeyId, secretAccessKey } = credentials;
        expect(ours).toBe(aws4.sign(theirs, { accessKeyId, secretAccessKey }).headers?.['Authorization']);
      }),
      { numRuns: 300 },
    );
  });

  it('changes with every part of what it covers', () => {
    const endpoint = { url: new URL('https://sqs.us-east-1.amazonaws.com/'), region: 'us-east-1' };
    const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret', sessionToken: 'token' };
    const request = { operation: 'GetQueueUrl', body: '{}', endpoint, credentials, at: new Date(0) };
    const changed: UnsignedRequest[] = [
      request,
      { ...request, operation: 'SendMessageBatch' },
      { ...request, body: '[]' },
      { ...request, endpoint: { ...endpoint, region: 'us-east-2' } },
      { ...request, endpoint: { ...endpoint, url: new URL('https://sqs.us-east-1.amazonaws.com/x') } },
      { ...request, endpoint: { ...endpoint, url: new URL('https://sqs.us-east-1.amazonaws.com:444/') } },
      { ...request, credentials: { ...credentials, secretAccessKey: 'other' } },
      { ...request, credentials: { ...credentials, sessionToken: 'other' } },
      { ...request, at: new Date(1_000) },
    ];
    expect(new Set(changed.map((each) => authorization(signedRequest(each)))).size).toBe(changed.length);
  });

  it('leaves the trace id out, which is rewritten on the way', () => {
    const endpoint = { url: new URL('https://sqs.us-east-1.amazonaws.com/'), region: 'us-east-1' };
    const request = { operation: 'GetQueueUrl', body: '{}', endpoint, at: new Date(0) };
    const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' };
    const traced = signedRequest({ ...request, credentials, traceId: 'Root=1' });
    expect(traced.headers['x-amzn-trace-id']).toBe('Root=1');
    expect(authorization(traced)).toBe(authorization(signedRequest({ ...request, credentials })));
  });
});

describe('a request', () => {
  it('speaks the JSON protocol of SQS', () => {
    const signed = signedRequest({
      operation: 'SendMessageBatch',
      body: '{"é":1}',
      endpoint: { url: new URL('https://sqs.us-east-1.amazonaws.com/'), region: 'us-east-1' },
      credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret', sessionToken: 'token' },
      at: new Date('2026-11-24T01:02:03.456Z'),
    });
    expect(signed.headers).toMatchObject({
      host: 'sqs.us-east-1.amazonaws.com',
      'content-type': 'application/x-amz-json-1.0',
      'content-length': '8',
      'x-amz-target': 'AmazonSQS.SendMessageBatch',
      'x-amz-date': '20261124T010203Z',
      'x-amz-security-token': 'token',
    });
    expect(signed.headers).not.toHaveProperty('x-amzn-trace-id');
  });
});
