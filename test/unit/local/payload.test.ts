import { describe, expect, it } from 'vitest';
import { payloadBatches, type ReceivedRecord, receivedRecord, sqsEvent } from '../../../src/local/payload.ts';

const SOURCE = { arn: 'arn:aws:sqs:us-east-1:000000000000:q', region: 'us-east-1' };

function deliveries(...bodies: string[]): ReceivedRecord[] {
  return bodies.map((Body, index) => receivedRecord({ MessageId: `m${index}`, ReceiptHandle: `h${index}`, Body }, SOURCE));
}

const ids = (batches: ReceivedRecord[][]) => batches.map((batch) => batch.map(({ messageId }) => messageId));

describe('payloadBatches', () => {
  it('keeps one batch where it fits to the byte', () => {
    const all = deliveries('a', 'ü', '🙂');
    const bytes = Buffer.byteLength(JSON.stringify(sqsEvent(all)));
    expect(ids(payloadBatches(all, bytes))).toEqual([['m0', 'm1', 'm2']]);
    expect(ids(payloadBatches(all, bytes - 1))).toEqual([['m0', 'm1'], ['m2']]);
  });

  it('splits ten messages of 1 MiB at 6 MB', () => {
    const batches = payloadBatches(deliveries(...Array.from({ length: 10 }, () => 'x'.repeat(1_048_576))));
    expect(batches.map((batch) => batch.length)).toEqual([5, 5]);
    for (const batch of batches) expect(Buffer.byteLength(JSON.stringify(sqsEvent(batch)))).toBeLessThanOrEqual(6_291_456);
  });

  it('puts a message that is too large into a batch of its own', () => {
    expect(ids(payloadBatches(deliveries('a', 'x'.repeat(1000), 'b'), 900))).toEqual([['m0'], ['m1'], ['m2']]);
  });

  it('gives no batch for no messages', () => {
    expect(payloadBatches([])).toEqual([]);
  });
});

describe('sqsEvent', () => {
  it('makes a new event each time', () => {
    const batch = deliveries('a', 'b');
    const event = sqsEvent(batch);
    event.Records.length = 0;
    expect(sqsEvent(batch).Records.map(({ body }) => body)).toEqual(['a', 'b']);
  });
});
