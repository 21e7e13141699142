import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { DeliveryFaults } from '../../faults/delivery-faults.ts';
import { Injector } from '../../faults/injector.ts';
import { Ledger } from '../../faults/ledger.ts';
import { messagesOf, readCall, withFailed } from '../../faults/sqs-wire.ts';

const receive = readCall(
  { 'x-amz-target': 'AmazonSQS.ReceiveMessage' },
  JSON.stringify({ QueueUrl: 'http://sqs/0/p-tasks-s', MaxNumberOfMessages: 10 }),
);
const message = (id: string) => ({ MessageId: id, ReceiptHandle: `h${id}`, Body: '{}', Attributes: { ApproximateReceiveCount: '1' } });
const answer = (...ids: string[]) => JSON.stringify({ Messages: ids.map(message) });
const givesNothingBack = () => {
  throw new Error('a message was given back');
};
const idsOf = (text: string) => messagesOf(text).map(({ MessageId }) => MessageId);

describe('what the injector does to answers', () => {
  it('delivers a message once more with a receive count above the first', () => {
    const faults = new DeliveryFaults(() => 0, new Ledger(), givesNothingBack);
    expect(idsOf(faults.answer(receive, answer('1'), undefined))).toEqual(['1']);
    const again = messagesOf(faults.answer(receive, answer('2'), 'delivered twice'));
    expect(again.map(({ MessageId }) => MessageId)).toEqual(['2', '1']);
    expect(again[1]).toMatchObject({ Attributes: { ApproximateReceiveCount: '2' } });
  });

  it('keeps a message back for the next answer when it reorders', () => {
    const faults = new DeliveryFaults(() => 0, new Ledger(), givesNothingBack);
    const now = idsOf(faults.answer(receive, answer('1', '2', '3'), 'reordered'));
    const later = idsOf(faults.answer(receive, answer('4'), undefined));
    expect(now).toHaveLength(2);
    expect([...now, ...later].sort()).toEqual(['1', '2', '3', '4']);
  });

  it('keeps back what a later answer has no room for, and gives back what was kept for a second', () => {
    vi.useFakeTimers();
    onTestFinished(() => {
      vi.useRealTimers();
    });
    const givenBack: string[] = [];
    const faults = new DeliveryFaults(
      () => 0,
      new Ledger(),
      ({ MessageId }) => givenBack.push(MessageId),
    );
    const full = Array.from({ length: 10 }, (_, index) => `full${index}`);
    const seen = [...idsOf(faults.answer(receive, answer('1', '2'), 'reordered'))];
    expect(idsOf(faults.answer(receive, answer(...full), undefined))).toEqual(full);
    seen.push(...idsOf(faults.answer(receive, answer('3', '4'), 'reordered')));
    expect(seen).toHaveLength(3);
    vi.advanceTimersByTime(1_000);
    expect(idsOf(faults.answer(receive, answer(...full), undefined))).toEqual(full);
    expect([...seen, ...givenBack].sort()).toEqual(['1', '2', '3', '4']);
    expect(idsOf(faults.answer(receive, answer('5'), undefined))).toEqual(['5']);
    expect(givenBack).toHaveLength(1);
  });

  it('leaves an answer without a fault as it is', () => {
    const faults = new DeliveryFaults(() => 0, new Ledger(), givesNothingBack);
    expect(faults.answer(receive, answer('1'), undefined)).toBe(answer('1'));
  });

  it('adds entries that were kept from SQS to those that SQS failed itself', () => {
    const own = { Id: '2', Code: 'InvalidMessageContents', SenderFault: true };
    const merged: unknown = JSON.parse(withFailed(JSON.stringify({ Successful: [{ Id: '0' }], Failed: [own] }), ['1'], 'InternalError'));
    expect(merged).toMatchObject({ Successful: [{ Id: '0' }], Failed: [own, { Id: '1', Code: 'InternalError', SenderFault: false }] });
  });

  it('knows a caller by its access key id', () => {
    const headers = { authorization: 'AWS4-HMAC-SHA256 Credential=lambda7/20261124/us-east-1/sqs/aws4_request, SignedHeaders=host' };
    expect(readCall(headers, '{}').caller).toBe('lambda7');
  });

  it('excuses a second send by a caller that hung up as its answer came', async () => {
    const sqs = createServer((_, response) => response.end('{}'));
    sqs.listen(0, '127.0.0.1');
    await once(sqs, 'listening');
    const ledger = new Ledger();
    const address = sqs.address();
    const upstreamPort = typeof address === 'object' && address !== null ? address.port : 0;
    const injector = new Injector({ upstreamPort, rate: 0, random: () => 0, ledger });
    await injector.start();
    const caller = connect(Number(new URL(injector.endpoint).port), '127.0.0.1');
    onTestFinished(async () => {
      caller.destroy();
      await injector.stop();
      sqs.close();
    });
    const body = JSON.stringify({ QueueUrl: 'http://sqs/0/p-results', MessageBody: JSON.stringify({ stepId: 'r:0' }) });
    const headers = ['POST / HTTP/1.1', 'host: sqs', 'x-amz-target: AmazonSQS.SendMessage', `content-length: ${body.length}`];
    caller.write(`${headers.join('\r\n')}\r\n\r\n${body}`);
    // What has come is there to be read, and nobody reads it.
    await once(caller, 'readable');
    caller.destroy();
    ledger.results.taskGiven('r:0');
    ledger.results.sent('r:0');
    await vi.waitFor(() => expect(ledger.results.violations()).toEqual([]));
  });
});
