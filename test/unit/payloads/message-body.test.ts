import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PayloadStoreError } from '../../../src/errors.ts';
import { MAX_STORED_BYTES, readBody, storeLargeBody } from '../../../src/payloads/message-body.ts';
import type { PayloadPointer, PayloadStore } from '../../../src/payloads/payload-store.ts';
import { decodePointer, encodePointer } from '../../../src/payloads/pointer.ts';

const ABOUT = { kind: 'task', runId: 'run-1', stepId: 'run-1:0' } as const;

function memoryStore(thresholdBytes: number): PayloadStore & { readonly bodies: Map<string, string> } {
  const bodies = new Map<string, string>();
  return {
    thresholdBytes,
    bodies,
    async put(body, { stepId }): Promise<PayloadPointer> {
      bodies.set(stepId, body);
      return { bucket: 'b', key: stepId };
    },
    async get({ key }) {
      return bodies.get(key) ?? '';
    },
  };
}

describe('a large body', () => {
  it('becomes a pointer in the format of the extended client, with the size as a Number', async () => {
    const message = await storeLargeBody({ body: 'x'.repeat(11), attributes: { durable: '1' }, groupId: 'g' }, ABOUT, memoryStore(10));
    expect(message).toEqual({
      body: '["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"b","s3Key":"run-1:0"}]',
      attributes: { durable: '1', ExtendedPayloadSize: { dataType: 'Number', value: '11' } },
      groupId: 'g',
    });
  });

  it('gets refused before it is stored if a reader would refuse it', async () => {
    const store = memoryStore(10);
    const refused = storeLargeBody({ body: 'x'.repeat(MAX_STORED_BYTES + 1) }, ABOUT, store);
    await expect(refused).rejects.toMatchObject({ name: 'PayloadStoreError', reason: 'too_large', transient: false });
    expect(await storeLargeBody({ body: 'x'.repeat(MAX_STORED_BYTES) }, ABOUT, store)).toMatchObject({
      body: expect.stringContaining('PayloadS3Pointer'),
    });
  });

  it('stays in the message up to the threshold, attributes counted in, and where there is no store', async () => {
    const store = memoryStore(10);
    const small = { body: 'x'.repeat(10) };
    expect(await storeLargeBody(small, ABOUT, store)).toBe(small);
    const large = { body: 'x'.repeat(11) };
    expect(await storeLargeBody(large, ABOUT, undefined)).toBe(large);
    expect((await storeLargeBody({ body: 'x', attributes: { durable: '1' } }, ABOUT, store)).body).toContain('PayloadS3Pointer');
  });

  it('comes back as it was', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
        const store = memoryStore(1);
        const { body } = await storeLargeBody({ body: text }, ABOUT, store);
        expect(await readBody(body, store)).toBe(text);
      }),
    );
  });

  it('cannot be read without a store, and the error says what to do', async () => {
    const pointer = encodePointer({ bucket: 'b', key: 'k' });
    await expect(readBody(pointer, undefined)).rejects.toThrow(PayloadStoreError);
    await expect(readBody(pointer, undefined)).rejects.toThrow('give the payloadStore option');
  });
});

describe('a pointer', () => {
  it('written by the old Java client is read too', () => {
    expect(decodePointer('["com.amazon.sqs.javamessaging.MessageS3Pointer",{"s3BucketName":"b","s3Key":"k"}]')).toEqual({
      bucket: 'b',
      key: 'k',
    });
  });

  it.each([
    '{}',
    '[]',
    '[1,2]',
    '["other.Class",{"s3BucketName":"b","s3Key":"k"}]',
    `["${'software.amazon.payloadoffloading.PayloadS3Pointer'}",null]`,
    '[',
  ])('differs from %s', (body) => {
    expect(decodePointer(body)).toBeUndefined();
    expect(readBody(body, undefined)).toBe(body);
  });

  it('decoding takes any text without throwing', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => decodePointer(text) === undefined));
  });
});
