import { describe, expect, it } from 'vitest';
import { QueueNotFoundError, SqsRequestError } from '../../../src/errors.ts';
import { Sender } from '../../../src/sqs/sender.ts';
import type { EntryOutcome, OutgoingMessage } from '../../../src/sqs/sqs-api.ts';
import { MAX_MESSAGE_BYTES, messageBytes } from '../../../src/wire/limits.ts';
import { type Deferred, deferred } from '../../support/deferred.ts';
import { settle } from '../../support/fake-timing.ts';

const QUEUE = 'https://sqs.eu-west-1.amazonaws.com/1/durable-results';

interface Request {
  readonly queueUrl: string;
  readonly messages: readonly OutgoingMessage[];
  readonly answer: Deferred<EntryOutcome[]>;
}

function setUp() {
  const requests: Request[] = [];
  const sender = new Sender({
    sendMessages: (queueUrl, messages) => {
      const answer = deferred<EntryOutcome[]>();
      requests.push({ queueUrl, messages, answer });
      return answer.promise;
    },
  });
  const accept = async (index: number) => {
    requests[index]?.answer.resolve(requests[index].messages.map(() => ({ ok: true })));
    await settle();
  };
  const sizes = () => requests.map(({ messages }) => messages.length);
  return { sender, requests, accept, sizes };
}

const body = (bytes: number) => ({ body: 'x'.repeat(bytes) });

describe('packing', () => {
  it('sends ten to a request, two requests at a time', async () => {
    const { sender, accept, sizes } = setUp();
    for (let index = 0; index < 25; index += 1) void sender.send(QUEUE, body(1));
    await settle();
    expect(sizes()).toEqual([10, 10]);
    await accept(0);
    expect(sizes()).toEqual([10, 10, 5]);
  });

  it('fills a request to exactly 1 MiB of UTF-8, attributes counted in', async () => {
    const { sender, requests, sizes } = setUp();
    const attributes = { marker: 'é' };
    const half = { body: 'é'.repeat((MAX_MESSAGE_BYTES / 2 - messageBytes('', attributes)) / 2 - 0.5), attributes };
    const rest = MAX_MESSAGE_BYTES - 2 * messageBytes(half.body, attributes);
    for (const message of [half, half, body(rest), body(1)]) void sender.send(QUEUE, message);
    await settle();
    expect(sizes()).toEqual([3, 1]);
    const bytes = requests[0]?.messages.reduce((sum, message) => sum + messageBytes(message.body, message.attributes), 0);
    expect(bytes).toBe(MAX_MESSAGE_BYTES);
  });

  it('sends a message of a FIFO group only after SQS has answered for the one before it', async () => {
    const { sender, requests, accept } = setUp();
    const fifo = `${QUEUE}.fifo`;
    const bodies = () => requests.map(({ messages }) => messages.map((message) => message.body).join(' '));
    for (const name of ['a1', 'a2', 'b1', 'a3']) void sender.send(fifo, { body: name, groupId: name.charAt(0) });
    await settle();
    expect(bodies()).toEqual(['a1 b1']);
    await accept(0);
    expect(bodies()).toEqual(['a1 b1', 'a2']);
    await accept(1);
    expect(bodies()).toEqual(['a1 b1', 'a2', 'a3']);
  });

  it('goes on with a FIFO group after a message that was refused', async () => {
    const { sender, requests } = setUp();
    const first = sender.send(`${QUEUE}.fifo`, { body: 'a1', groupId: 'a' });
    const second = sender.send(`${QUEUE}.fifo`, { body: 'a2', groupId: 'a' });
    await settle();
    requests[0]?.answer.resolve([{ ok: false, sqsCode: 'InternalError', transient: true }]);
    await expect(first).rejects.toMatchObject({ sqsCode: 'InternalError' });
    await settle();
    requests[1]?.answer.resolve([{ ok: true }]);
    await expect(second).resolves.toBeUndefined();
  });

  it('sends many FIFO groups at full speed: ten to a request, two requests at a time', async () => {
    const { sender, accept, sizes } = setUp();
    for (let index = 0; index < 25; index += 1) void sender.send(`${QUEUE}.fifo`, { ...body(1), groupId: `run-${index}` });
    await settle();
    expect(sizes()).toEqual([10, 10]);
    await accept(0);
    expect(sizes()).toEqual([10, 10, 5]);
  });

  it('keeps queues apart', async () => {
    const { sender, requests } = setUp();
    const a = { body: 'a', attributes: { n: 'v' }, groupId: 'tenant' };
    void sender.send('https://one', a);
    void sender.send('https://two', body(1));
    void sender.send('https://one', a);
    await settle();
    expect(requests.map(({ queueUrl, messages }) => [queueUrl, messages])).toEqual([
      ['https://one', [a, a]],
      ['https://two', [body(1)]],
    ]);
  });
});

describe('outcomes', () => {
  it('resolves what SQS accepted and rejects what it refused, each for itself', async () => {
    const { sender, requests } = setUp();
    const all = Promise.allSettled([sender.send(QUEUE, body(1)), sender.send(QUEUE, body(2)), sender.send(QUEUE, body(3))]);
    await settle();
    requests[0]?.answer.resolve([
      { ok: true },
      { ok: false, sqsCode: 'InvalidMessageContents', transient: false },
      { ok: false, sqsCode: 'InternalError', transient: true },
    ]);
    const [first, second, third] = await all;
    expect(first).toEqual({ status: 'fulfilled', value: undefined });
    expect(second).toMatchObject({ reason: new SqsRequestError('SendMessageBatch', 'InvalidMessageContents', false) });
    expect(second).toMatchObject({ reason: { sqsCode: 'InvalidMessageContents', transient: false } });
    expect(third).toMatchObject({ reason: { sqsCode: 'InternalError', transient: true } });
  });

  it('passes on what the whole request failed of, and sends the next', async () => {
    const { sender, requests, accept } = setUp();
    const missing = new QueueNotFoundError(QUEUE, 'eu-west-1');
    const failed = sender.send(QUEUE, body(1));
    await settle();
    requests[0]?.answer.reject(missing);
    await expect(failed).rejects.toBe(missing);
    const sent = sender.send(QUEUE, body(1));
    await settle();
    await accept(1);
    await expect(sent).resolves.toBeUndefined();
  });
});

describe('a batch that is refused as a whole, and for good', () => {
  /** Refuses every request that holds the guilty message. */
  function refusing(error: Error) {
    const requests: string[][] = [];
    const sender = new Sender({
      sendMessages: async (_queueUrl, messages) => {
        requests.push(messages.map((message) => message.body));
        if (messages.some((message) => message.body === 'guilty')) throw error;
        return messages.map(() => ({ ok: true }));
      },
    });
    return { sender, requests };
  }
  const outcomesOf = async (sends: Promise<void>[]) => (await Promise.allSettled(sends)).map(({ status }) => status);

  it('goes out again one by one, so that only the message at fault fails', async () => {
    const refusal = new SqsRequestError('SendMessageBatch', 'InvalidMessageContents', false);
    const { sender, requests } = refusing(refusal);
    const sends = ['a', 'guilty', 'b'].map((text) => sender.send(QUEUE, { body: text }));
    expect(await outcomesOf(sends)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    await expect(sends[1]).rejects.toMatchObject({ name: 'SqsRequestError', sqsCode: 'InvalidMessageContents', transient: false });
    expect(requests).toEqual([['a', 'guilty', 'b'], ['a'], ['guilty'], ['b']]);
  });

  it('goes out only once if it holds one message', async () => {
    const { sender, requests } = refusing(new SqsRequestError('SendMessageBatch', 'InvalidMessageContents', false));
    expect(await outcomesOf([sender.send(QUEUE, { body: 'guilty' })])).toEqual(['rejected']);
    expect(requests).toEqual([['guilty']]);
  });

  it.each([
    ['passes', new SqsRequestError('SendMessageBatch', 'ServiceUnavailable', true)],
    ['is the queue being gone', new QueueNotFoundError(QUEUE, 'eu-west-1')],
  ])('stays with its senders if the reason %s', async (_what, error) => {
    const { sender, requests } = refusing(error);
    const sends = ['a', 'guilty'].map((text) => sender.send(QUEUE, { body: text }));
    expect(await outcomesOf(sends)).toEqual(['rejected', 'rejected']);
    expect(requests).toEqual([['a', 'guilty']]);
  });
});
