import type { SQSRecord } from 'aws-lambda';
import { describe, expect, it } from 'vitest';
import { ConfigurationError, PayloadStoreError, QueueNotFoundError, SqsRequestError } from '../../../src/errors.ts';
import { deadLetterHandler } from '../../../src/lambda/dead-letter-handler.ts';
import { type DeadLetterHandlerOptions, PARKED_ATTRIBUTE, sqsDeadLetterHandler } from '../../../src/lambda/index.ts';
import { NO_RETRIES, type SqsQueues } from '../../../src/lambda/worker-queues.ts';
import { payloadKey } from '../../../src/payloads/payload-key.ts';
import { encodePointer } from '../../../src/payloads/pointer.ts';
import type { OutgoingMessage } from '../../../src/sqs/sqs-api.ts';
import { deadLetterQueueName, parkedQueueName } from '../../../src/topology/queue-names.ts';
import { MAX_MESSAGE_BYTES, messageBytes } from '../../../src/wire/limits.ts';
import { decodeStepResult } from '../../../src/wire/step-result.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { failedIds } from '../../support/fake-queues.ts';
import { contextOf, eventOf, recordOf, taskFor } from '../../support/sqs-records.ts';

const arnOf = (name: string) => `arn:aws:sqs:us-east-1:123456789012:${name}`;
const DEAD_LETTERS = arnOf('durable-dead-letters-step');
const SENT_AT = 1_790_000_000_000;

interface Sent {
  /** `results`, or the names the queue was asked for by. */
  readonly to: string;
  readonly message: OutgoingMessage;
}

/** All queues at once; `fail` may throw what a send to one of them is refused with. */
function fakeQueues(fail: (to: string, message: OutgoingMessage) => unknown = () => undefined) {
  const sent: Sent[] = [];
  const accept = async (entry: Sent) => {
    await fail(entry.to, entry.message);
    sent.push(entry);
  };
  const queues: SqsQueues = {
    url: async () => 'results',
    urlOf: async (names) => names.join(' or '),
    retries: () => NO_RETRIES,
    send: (to, message) => accept({ to, message }),
  };
  return { queues, sent };
}

function handlerOver({ queues }: { queues: SqsQueues }, options: DeadLetterHandlerOptions = {}) {
  const logger = capturingLogger();
  return { handler: deadLetterHandler({ logger, ...options }, queues), logger };
}

function letter(fields: Partial<SQSRecord> & { readonly body?: string } = {}, seq = 3): SQSRecord {
  const record = recordOf(taskFor({ runId: 'r-1', seq, stepId: `r-1:${seq}` }), { receiveCount: 2, eventSourceARN: DEAD_LETTERS });
  return { ...record, ...fields, attributes: { ...record.attributes, ...fields.attributes } };
}

const noteOf = ({ message }: Pick<Sent, 'message'>) => JSON.parse(String(message.attributes?.[PARKED_ATTRIBUTE]));
const resultsOf = (sent: readonly Sent[]) => sent.filter(({ to }) => to === 'results').map(({ message }) => decodeStepResult(message.body));
const unavailable = () => new SqsRequestError('SendMessageBatch', 'ServiceUnavailable', true);
const denied = () => new SqsRequestError('SendMessageBatch', 'AccessDenied', false);

describe('a task whose receive count is used up', () => {
  it('goes to the parked queue, then the engine is told; the record is consumed', async () => {
    const queues = fakeQueues();
    const { handler } = handlerOver(queues);
    const record = letter();
    expect(failedIds(await handler(eventOf(record), contextOf()))).toEqual([]);

    expect(queues.sent.map(({ to }) => to)).toEqual(['durable-parked-step', 'results']);
    const [parked] = queues.sent;
    expect(parked?.message.body).toBe(record.body);
    expect(parked && noteOf(parked)).toEqual({
      reason: 'receive count used up',
      firstSeen: new Date(SENT_AT).toISOString(),
      receiveCount: 2,
      resultSent: true,
    });
    expect(resultsOf(queues.sent)).toEqual([
      {
        runId: 'r-1',
        seq: 3,
        stepId: 'r-1:3',
        status: 'failed',
        error: { code: 'dead_letter', retryable: true, message: expect.stringContaining('may or may not have run') },
      },
    ]);
  });

  it('fails the run whose turn it was', async () => {
    const queues = fakeQueues();
    const turn = { taskId: 'r-1:wf:9', runId: 'r-1', workflow: 'checkout', workflowVersion: '1', input: 1, history: [], group: 'checkout' };
    const { handler } = handlerOver(queues);
    expect(failedIds(await handler(eventOf(letter({ body: JSON.stringify({ ...turn, attempt: 1 }) })), contextOf()))).toEqual([]);
    expect(queues.sent.map(({ to }) => to)).toEqual(['durable-parked-step', 'results']);
    expect(JSON.parse(queues.sent[1]?.message.body ?? '')).toEqual({
      taskId: 'r-1:wf:9',
      runId: 'r-1',
      status: 'failed',
      commands: [],
      error: { code: 'dead_letter', retryable: true, message: expect.stringContaining('the turn may or may not have run') },
    });
  });

  it('fails the run whose turn had a stored body that cannot be read', async () => {
    const queues = fakeQueues();
    const key = payloadKey({ kind: 'turn', runId: 'r-1', stepId: 'r-1:wf:9', seq: 0 }, 'uuid');
    const { handler } = handlerOver(queues);
    await handler(eventOf(letter({ body: encodePointer({ bucket: 'bucket', key }) })), contextOf());
    expect(JSON.parse(queues.sent[1]?.message.body ?? '')).toMatchObject({ taskId: 'r-1:wf:9', status: 'failed', commands: [] });
  });

  it('keeps all its attributes, of every type, but nothing of the system’s', async () => {
    const queues = fakeQueues();
    await handlerOver(queues).handler(
      eventOf(
        letter({
          attributes: { ...letter().attributes, AWSTraceHeader: 'Root=1-2-3' },
          messageAttributes: {
            tenant: { dataType: 'String.id', stringValue: 'acme', stringListValues: [], binaryListValues: [] },
            size: { dataType: 'Number', stringValue: '12', stringListValues: [], binaryListValues: [] },
            key: { dataType: 'Binary', binaryValue: Buffer.from([0, 255, 7]).toString('base64') },
            [PARKED_ATTRIBUTE]: { dataType: 'String', stringValue: '{"reason":"parked before"}' },
          },
        }),
      ),
      contextOf(),
    );
    const { [PARKED_ATTRIBUTE]: note, ...attributes } = queues.sent[0]?.message.attributes ?? {};
    expect(attributes).toEqual({
      tenant: { dataType: 'String.id', value: 'acme' },
      size: { dataType: 'Number', value: '12' },
      key: { dataType: 'Binary', value: Buffer.from([0, 255, 7]) },
    });
    expect(note).toContain('receive count used up');
  });

  it('stays in its group on a FIFO queue, under a deduplication id of its own', async () => {
    const queues = fakeQueues();
    const attributes = { ...letter().attributes, MessageGroupId: 'r-1', MessageDeduplicationId: 'old' };
    const record = letter({ attributes, eventSourceARN: arnOf('durable-dead-letters-step.fifo') });
    const { handler } = handlerOver(queues);
    await handler(eventOf(record), contextOf());
    await handler(eventOf({ ...record, messageId: 'again' }), contextOf());
    const parked = queues.sent.filter(({ to }) => to === 'durable-parked-step.fifo').map(({ message }) => message);
    expect(parked.map(({ groupId }) => groupId)).toEqual(['r-1', 'r-1']);
    const ids = parked.map(({ deduplicationId }) => deduplicationId);
    expect(new Set([...ids, 'old']).size).toBe(3);
    expect(ids).not.toContain(undefined);
  });

  it('carries the marker on its result', async () => {
    const queues = fakeQueues();
    const messageAttributes = { durable: { dataType: 'String' as const, stringValue: '1' } };
    await handlerOver(queues, { marker: 'durable' }).handler(eventOf(letter({ messageAttributes })), contextOf());
    expect(queues.sent[1]?.message.attributes).toEqual({ durable: '1' });
  });

  it.each([
    ['a token too long for a dead-letter queue’s name, not for a parked queue’s', 'x'.repeat(60)],
    ['a token too long for both', 'y'.repeat(99)],
    ['a tenant’s', 'charge@acme'],
  ])('goes to the queue that its token names: %s', async (_what, group) => {
    const queues = fakeQueues();
    const record = recordOf(taskFor({ group }), { eventSourceARN: arnOf(deadLetterQueueName(group, 'shop')) });
    await handlerOver(queues).handler(eventOf(record), contextOf());
    expect(queues.sent[0]?.to.split(' or ')[0]).toBe(parkedQueueName(group, 'shop'));
  });

  it('goes to the queue named alike where its own token names another: a dead-letter queue of one’s own', async () => {
    const queues = fakeQueues();
    await handlerOver(queues).handler(eventOf(letter({ eventSourceARN: arnOf('durable-dead-letters-mine') })), contextOf());
    expect(queues.sent[0]?.to).toBe('durable-parked-mine');
  });
});

describe('what is no task', () => {
  it.each([
    ['a broken body', {}, '{"card":"4111', 'not a RemoteTask: expected JSON, got 13 bytes that do not parse'],
    ['a body of another kind', {}, '{"runId":7}', 'not a RemoteTask: expected runId to be a non-empty string, got a number'],
    ['a message without the marker', { marker: 'durable' }, letter().body, 'not a RemoteTask: no attribute "durable"'],
  ])('goes to the parked queue with the reason, and nobody is told (%s)', async (_what, options, body, reason) => {
    const queues = fakeQueues();
    const { handler } = handlerOver(queues, options);
    expect(failedIds(await handler(eventOf(letter({ body })), contextOf()))).toEqual([]);
    expect(queues.sent.map(({ to }) => to)).toEqual(['durable-parked-step']);
    expect(queues.sent.map(noteOf)).toMatchObject([{ reason, resultSent: false }]);
    expect(queues.sent[0]?.message.body).toBe(body);
  });
});

describe('a letter without room for a note', () => {
  const attributes = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`a${index}`, { dataType: 'String' as const, stringValue: 'v' }]));

  it.each([
    ['ten attributes', letter({ messageAttributes: attributes(10) })],
    ['a body of all bytes', letter({ body: JSON.stringify({ ...taskFor(), input: 'x'.repeat(MAX_MESSAGE_BYTES - 120) }) })],
  ])('(%s) is parked as it is, and consumed; the engine is told', async (_what, record) => {
    expect(messageBytes(record.body)).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
    const queues = fakeQueues();
    const { handler, logger } = handlerOver(queues);
    expect(failedIds(await handler(eventOf(record), contextOf()))).toEqual([]);
    expect(queues.sent.map(({ to }) => to)).toEqual(['durable-parked-step', 'results']);
    expect(queues.sent[0]?.message.body).toBe(record.body);
    expect(Object.keys(queues.sent[0]?.message.attributes ?? {})).toEqual(Object.keys(record.messageAttributes));
    expect(logger.lines).toContainEqual(expect.objectContaining({ message: 'dead letter has no room for a note; parked as it is' }));
  });

  it('has room with nine attributes', async () => {
    const queues = fakeQueues();
    await handlerOver(queues).handler(eventOf(letter({ messageAttributes: attributes(9) })), contextOf());
    expect(Object.keys(queues.sent[0]?.message.attributes ?? {})).toHaveLength(10);
  });
});

describe('a letter that cannot be parked', () => {
  it.each([
    ['there is no parked queue', new QueueNotFoundError('durable-parked-step', 'us-east-1'), DEAD_LETTERS],
    ['the role may not', denied(), DEAD_LETTERS],
    ['the queue is none of ours', undefined, arnOf('orders-failed')],
  ])('refused for good (%s), stays with the redrive policy; the engine is told', async (_what, error, eventSourceARN) => {
    const queues = fakeQueues((to) => {
      if (to !== 'results' && error !== undefined) throw error;
    });
    const { handler } = handlerOver(queues);
    expect(failedIds(await handler(eventOf(letter({ eventSourceARN })), contextOf()))).toEqual(['message-3']);
    expect(queues.sent.map(({ to }) => to)).toEqual(['results']);
  });

  it('refused for now, gets redelivered, and nobody is told before it is parked', async () => {
    let down = true;
    const queues = fakeQueues((to) => {
      if (down && to !== 'results') throw unavailable();
    });
    const { handler } = handlerOver(queues);
    await expect(handler(eventOf(letter()), contextOf())).rejects.toMatchObject({ name: 'ResultsNotAcceptedError' });
    expect(queues.sent).toEqual([]);
    down = false;
    expect(failedIds(await handler(eventOf(letter()), contextOf()))).toEqual([]);
    expect(queues.sent.map(({ to }) => to)).toEqual(['durable-parked-step', 'results']);
  });
});

describe('a result that is not accepted', () => {
  it('brings the letter again; a process that has parked it does not park it twice', async () => {
    let down = true;
    const queues = fakeQueues((to) => {
      if (down && to === 'results') throw unavailable();
    });
    const { handler } = handlerOver(queues);
    const other = letter({ messageId: 'other', body: 'no task' });
    expect(failedIds(await handler(eventOf(letter(), other), contextOf()))).toEqual(['message-3']);
    down = false;
    expect(failedIds(await handler(eventOf(letter()), contextOf()))).toEqual([]);
    expect(queues.sent.map(({ to }) => to)).toEqual(['durable-parked-step', 'durable-parked-step', 'results']);
  });

  it('leaves a log line with the run and the step that wait for it', async () => {
    const queues = fakeQueues((to) => {
      if (to === 'results') throw unavailable();
    });
    const { handler, logger } = handlerOver(queues);
    await expect(handler(eventOf(letter()), contextOf())).rejects.toMatchObject({ name: 'ResultsNotAcceptedError' });
    expect(logger.lines).toContainEqual({
      level: 'error',
      message: 'dead letter not handled; it will be redelivered',
      fields: expect.objectContaining({ messageId: 'message-3', runId: 'r-1', stepId: 'r-1:3' }),
    });
  });
});

describe('a stored body', () => {
  const key = payloadKey({ kind: 'task', runId: 'r-9', stepId: 'r-9:1', seq: 1 }, 'uuid');
  const stored = letter({ body: encodePointer({ bucket: 'b', key }) });
  const storeThat = (get: () => Promise<string>) => ({ thresholdBytes: 1, put: async () => ({ bucket: 'b', key }), get });

  it('tells whose the letter is; the pointer is parked', async () => {
    const queues = fakeQueues();
    const payloadStore = storeThat(async () => letter().body);
    expect(failedIds(await handlerOver(queues, { payloadStore }).handler(eventOf(stored), contextOf()))).toEqual([]);
    expect(queues.sent[0]?.message.body).toBe(stored.body);
    expect(resultsOf(queues.sent)).toMatchObject([{ runId: 'r-1', error: { code: 'dead_letter' } }]);
  });

  it('missing, leaves a letter that is parked with the reason; its key says whose it is', async () => {
    const queues = fakeQueues();
    const payloadStore = storeThat(async () => {
      throw new PayloadStoreError('missing', 'no such object');
    });
    expect(failedIds(await handlerOver(queues, { payloadStore }).handler(eventOf(stored), contextOf()))).toEqual([]);
    expect(queues.sent.map(({ to }) => to)).toEqual(['durable-parked-step', 'results']);
    expect(noteOf(queues.sent[0] ?? { message: { body: '' } })).toMatchObject({ reason: 'its stored body cannot be read: missing' });
    expect(resultsOf(queues.sent)).toMatchObject([{ runId: 'r-9', seq: 1, stepId: 'r-9:1', error: { code: 'dead_letter' } }]);
  });

  it('unreadable without a store, under a key that tells nothing, leaves a parked letter, and nobody is told', async () => {
    const queues = fakeQueues();
    const foreign = letter({ body: encodePointer({ bucket: 'b', key: 'uuid' }) });
    expect(failedIds(await handlerOver(queues).handler(eventOf(foreign), contextOf()))).toEqual([]);
    expect(queues.sent.map(noteOf)).toMatchObject([{ reason: 'its stored body cannot be read: not_configured', resultSent: false }]);
  });

  it.each([
    ['the store is down', new PayloadStoreError('unavailable', 'down')],
    ['its client was left out of the bundle', new ConfigurationError('no client')],
  ])('unavailable now (%s), leaves a parked letter; its key says whom to tell', async (_what, error) => {
    const queues = fakeQueues();
    const payloadStore = storeThat(() => Promise.reject(error));
    expect(failedIds(await handlerOver(queues, { payloadStore }).handler(eventOf(stored), contextOf()))).toEqual([]);
    expect(queues.sent.map(({ to }) => to)).toEqual(['durable-parked-step', 'results']);
    expect(noteOf(queues.sent[0] ?? { message: { body: '' } })).toMatchObject({ reason: 'receive count used up', resultSent: true });
    expect(resultsOf(queues.sent)).toMatchObject([{ runId: 'r-9', seq: 1, stepId: 'r-9:1', error: { code: 'dead_letter' } }]);
  });

  it('unavailable now, under a key that tells nothing, leaves a letter that is redelivered', async () => {
    const queues = fakeQueues();
    const payloadStore = storeThat(() => Promise.reject(new PayloadStoreError('unavailable', 'down')));
    const foreign = letter({ body: encodePointer({ bucket: 'b', key: 'uuid' }) });
    expect(failedIds(await handlerOver(queues, { payloadStore }).handler(eventOf(foreign), contextOf()))).toEqual(['message-3']);
    expect(queues.sent).toEqual([]);
  });
});

describe('the dead letters of one batch', () => {
  it('fail each for itself; on a FIFO queue what stands behind one in its group waits', async () => {
    const fifo = (seq: number, group: string) => {
      const record = letter({ eventSourceARN: arnOf('durable-dead-letters-step.fifo') }, seq);
      return { ...record, attributes: { ...record.attributes, MessageGroupId: group } };
    };
    const queues = fakeQueues((to, { body }) => {
      if (to !== 'results' && body.includes('r-1:1')) throw unavailable();
    });
    const { handler } = handlerOver(queues);
    const event = eventOf(fifo(0, 'a'), fifo(1, 'a'), fifo(2, 'a'), fifo(3, 'b'));
    expect(failedIds(await handler(event, contextOf()))).toEqual(['message-1', 'message-2']);
    expect(resultsOf(queues.sent).map(({ seq }) => seq)).toEqual([0, 3]);
  });

  it('count by what was settled, whatever a middleware does', async () => {
    const queues = fakeQueues();
    const { handler } = handlerOver(queues);
    const same = handler.use({
      after: () => {
        throw new Error('after');
      },
    });
    expect(same).toBe(handler);
    expect(failedIds(await handler(eventOf(letter()), contextOf()))).toEqual([]);
  });

  it('appear in logs by ids, never by body', async () => {
    const queues = fakeQueues();
    const { handler, logger } = handlerOver(queues);
    const task = taskFor({ input: { pan: '4111-1111' } });
    await handler(eventOf(recordOf(task, { eventSourceARN: DEAD_LETTERS }), letter({ body: '{"pan":"4111-1111"' }, 9)), contextOf());
    expect(logger.lines.length).toBeGreaterThan(1);
    expect(JSON.stringify(logger.lines)).not.toContain('4111');
    const notes = queues.sent.flatMap(({ message }) => String(message.attributes?.[PARKED_ATTRIBUTE] ?? ''));
    expect(JSON.stringify(notes)).not.toContain('4111');
  });
});

describe('sqsDeadLetterHandler', () => {
  it('refuses options that it does not know, where it is made', () => {
    expect(() => Reflect.apply(sqsDeadLetterHandler, undefined, [{ onDeadline: 'fail' }])).toThrow(
      'sqsDeadLetterHandler: unknown option "onDeadline"',
    );
    expect(sqsDeadLetterHandler()).toHaveLength(2);
  });
});
