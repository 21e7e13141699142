import { once } from 'node:events';
import { createServer } from 'node:net';
import { ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openSigned } from '../../src/lambda/open-sender.ts';
import { createQueues, startLocalSqs } from '../../src/local/index.ts';
import { resultSender } from '../../src/sqs/api-calls.ts';
import { type HttpAnswer, HttpConnections, type HttpLimits, type HttpPost } from '../../src/sqs/http-connections.ts';
import { systemTiming } from '../../src/time.ts';
import { accepted, type StubSqs, startStubSqs } from '../support/stub-sqs.ts';

const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' };
const ok = [{ ok: true }];

let sqs: StubSqs;
let connections: HttpConnections;
/** Pauses between two tries, which take no time here. */
let pauses: number[];

beforeEach(async () => {
  sqs = await startStubSqs();
  pauses = [];
});
afterEach(async () => {
  vi.restoreAllMocks();
  connections?.destroy();
  await sqs.stop();
});

function senderWith(limits: HttpLimits = {}) {
  connections = new HttpConnections(5_000);
  const { endpoint } = sqs;
  const limited = {
    post: (request: HttpPost, given: HttpLimits) => connections.post(request, { ...given, ...limits }),
    destroy: () => connections.destroy(),
  };
  const sleep = async (ms: number) => void pauses.push(ms);
  return resultSender(openSigned({ endpoint, region: 'us-east-1', credentials }, {}, limited, { ...systemTiming, sleep }));
}

function post(body = '{}', limits: HttpLimits = { answerMs: 5_000 }): Promise<HttpAnswer> {
  return connections.post({ url: new URL(sqs.endpoint), headers: { 'x-amz-target': 'AmazonSQS.Odd' }, body }, limits);
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail('expected a rejection'),
    (error: unknown) => error,
  );
}

describe('connections', () => {
  it('a connection is kept from one request to the next', async () => {
    const sender = senderWith();
    for (const body of ['a', 'b', 'c']) expect(await sender.sendMessages(sqs.queueUrl, [{ body }])).toEqual(ok);
    expect(sqs.requests.map(({ connection }) => connection)).toEqual([1, 1, 1]);
  });

  it('a kept connection that has been closed costs no delay: the request goes out at once on a new one', async () => {
    const sender = senderWith();
    await Promise.all(['a', 'b'].map((body) => sender.sendMessages(sqs.queueUrl, [{ body }])));
    expect(sqs.connections.size).toBe(2);
    // As after a freeze: closed on the other side, and this process finds out by writing.
    for (const socket of sqs.connections) socket.resetAndDestroy();
    expect(await sender.sendMessages(sqs.queueUrl, [{ body: 'c' }])).toEqual(ok);
    expect(pauses).toEqual([]);
    expect(sqs.requests.at(-1)?.connection).toBeGreaterThan(2);
  });

  it('a connection that breaks during the request counts as a fault only when it was new', async () => {
    connections = new HttpConnections(5_000);
    sqs.answer((response) => response.socket?.destroy());
    expect(await rejection(post())).toMatchObject({ code: 'ECONNRESET' });
    expect(sqs.requests).toHaveLength(1);

    await post();
    sqs.answer((response) => response.socket?.destroy());
    expect(await rejection(post())).toMatchObject({ code: 'ECONNRESET', fault: 'idle connection' });
    expect(sqs.requests.map(({ connection }) => connection)).toEqual([1, 2, 2]);
  });

  it('a half-closed connection is replaced by a new one', async () => {
    const sender = senderWith();
    await sender.sendMessages(sqs.queueUrl, [{ body: 'a' }]);
    for (const socket of sqs.connections) socket.end();
    expect(await sender.sendMessages(sqs.queueUrl, [{ body: 'b' }])).toEqual(ok);
    expect(sqs.requests.at(-1)?.connection).toBe(2);
  });

  it('a connection that has been idle for long by the wall clock is not used again', async () => {
    const sender = senderWith();
    await sender.sendMessages(sqs.queueUrl, [{ body: 'a' }]);
    const now = Date.now();
    const clock = vi.spyOn(Date, 'now').mockReturnValue(now + 19_000);
    await sender.sendMessages(sqs.queueUrl, [{ body: 'b' }]);
    clock.mockReturnValue(now + 60_000);
    await sender.sendMessages(sqs.queueUrl, [{ body: 'c' }]);
    expect(sqs.requests.map(({ connection }) => connection)).toEqual([1, 1, 2]);
  });
});

describe('an answer', () => {
  it('an answer that is cut off counts as a broken connection, not as a shorter answer', async () => {
    connections = new HttpConnections(5_000);
    sqs.answer((response) => {
      response.writeHead(200, { 'content-length': '100' }).write('{"Successful":[]}');
      setTimeout(() => response.socket?.destroy(), 20);
    });
    expect(await rejection(post())).toMatchObject({ code: 'ECONNRESET' });
  });

  it('an answer that is late ends the request; the next try may succeed', async () => {
    const sender = senderWith({ answerMs: 150 });
    sqs.answer({ afterMs: 60_000 });
    expect(await sender.sendMessages(sqs.queueUrl, [{ body: 'a' }])).toEqual(ok);
    expect(sqs.requests.map(({ connection }) => connection)).toEqual([1, 2]);
  });

  it('an answer that never ends is given up too', async () => {
    connections = new HttpConnections(5_000);
    sqs.answer((response) => response.writeHead(200).write('{'));
    expect(await rejection(post('{}', { answerMs: 150 }))).toMatchObject({ name: 'TimeoutError', message: 'no answer within 150 ms' });
  });

  it('an answer may be slow within its time limit', async () => {
    const sender = senderWith();
    sqs.answer((response, request) => {
      const text = JSON.stringify(accepted(request));
      response.write(text.slice(0, 10));
      setTimeout(() => response.end(text.slice(10)), 100);
    });
    expect(await sender.sendMessages(sqs.queueUrl, [{ body: 'a' }])).toEqual(ok);
    expect(sqs.requests).toHaveLength(1);
  });
});

describe("an answer that is not SQS's", () => {
  it('an HTTP 101 fails the request; the next try may succeed', async () => {
    const sender = senderWith();
    sqs.answer((response) => response.socket?.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'));
    expect(await sender.sendMessages(sqs.queueUrl, [{ body: 'a' }])).toEqual(ok);
    expect(sqs.requests.map(({ connection }) => connection)).toEqual([1, 2]);
  });

  it('an answer without an end is given up before it fills the memory', async () => {
    connections = new HttpConnections(5_000);
    const chunk = 'x'.repeat(1 << 20);
    let sent = 0;
    sqs.answer((response) => {
      response.writeHead(200);
      const more = () => {
        while (!response.destroyed && response.write(chunk)) sent += 1;
      };
      response.on('drain', more);
      more();
    });
    expect(await rejection(post())).toMatchObject({ message: expect.stringMatching(/^the answer is longer than \d+ characters$/) });
    expect(sent).toBeLessThan(100);
  });
});

describe('connecting', () => {
  it('a connection that is not made in time is a transient fault', async () => {
    // TLS towards a server that never greets back.
    const silent = createServer();
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const address = silent.address();
    const url = new URL('https://127.0.0.1');
    url.port = String(typeof address === 'object' && address !== null ? address.port : 0);
    connections = new HttpConnections(100);
    const error = await rejection(connections.post({ url, headers: {}, body: '{}' }));
    expect(error).toMatchObject({ name: 'TimeoutError', message: 'no connection within 100 ms' });
    silent.close();
  });
});

describe('a fault', () => {
  it.each([
    ['500', { status: 500, body: { __type: 'InternalFailure' } }],
    ['503', { status: 503, body: 'busy' }],
    ['throttling', { status: 400, body: { __type: 'com.amazonaws.sqs#RequestThrottled', message: 'slow down' } }],
    ['a skewed clock', { status: 403, body: { __type: 'RequestExpired' }, headers: { date: 'Tue, 24 Nov 2099 00:00:00 GMT' } }],
  ])('a transient fault is gone at the next try: %s', async (_what, answer) => {
    const sender = senderWith();
    sqs.answer(answer);
    expect(await sender.sendMessages(sqs.queueUrl, [{ body: 'a' }])).toEqual(ok);
    expect(sqs.requests).toHaveLength(2);
  });

  it('a server that is not there gives the code of its refusal', async () => {
    const { endpoint } = sqs;
    await sqs.stop();
    connections = new HttpConnections(5_000);
    const gone = connections.post({ url: new URL(endpoint), headers: {}, body: '{}' });
    expect(await rejection(gone)).toMatchObject({ code: 'ECONNREFUSED' });
    sqs = await startStubSqs();
  });
});

describe('an SQS server', () => {
  it('takes what is sent, finds the queue and changes visibilities', async () => {
    const local = await startLocalSqs();
    const client = new SQSClient(local.clientConfig);
    try {
      const { resultsQueueUrl } = await createQueues({ clientConfig: local.clientConfig, steps: [] });
      const sender = resultSender(openSigned({ endpoint: local.endpoint, region: local.region, credentials }, {}));
      expect(new URL((await sender.findQueueUrl('durable-results')) ?? '').pathname).toBe(new URL(resultsQueueUrl).pathname);
      expect(await sender.findQueueUrl('nobody-has-made-it')).toBeUndefined();

      const body = JSON.stringify({ text: 'é ✓', long: 'x'.repeat(50_000) });
      const attributes = {
        marker: '1',
        size: { dataType: 'Number', value: '7' },
        raw: { dataType: 'Binary', value: Buffer.from([0, 255]) },
      };
      expect(await sender.sendMessages(resultsQueueUrl, [{ body, attributes }])).toEqual(ok);
      const receive = new ReceiveMessageCommand({ QueueUrl: resultsQueueUrl, MessageAttributeNames: ['All'] });
      const [message] = (await client.send(receive)).Messages ?? [];
      expect(message?.Body).toBe(body);
      expect(message?.MessageAttributes).toMatchObject({
        marker: { DataType: 'String', StringValue: '1' },
        size: { DataType: 'Number', StringValue: '7' },
        raw: { DataType: 'Binary', BinaryValue: new Uint8Array([0, 255]) },
      });

      const change = { receiptHandle: message?.ReceiptHandle ?? '', timeoutSeconds: 0 };
      expect(await sender.changeVisibility(resultsQueueUrl, [change])).toEqual(ok);
      expect((await client.send(receive)).Messages).toHaveLength(1);

      const missing = resultsQueueUrl.replace('durable-results', 'gone');
      expect(await rejection(sender.sendMessages(missing, [{ body }]))).toMatchObject({ name: 'QueueNotFoundError', queue: missing });
    } finally {
      client.destroy();
      await local.stop();
    }
  });
});
