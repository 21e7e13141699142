import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Message, SendMessageCommandInput } from '@aws-sdk/client-sqs';
import { describe, expect, it } from 'vitest';
import { deadLettersCommand } from '../../../../../src/serverless/commands/dead-letters/command.ts';
import { deadLetter } from '../../../../../src/serverless/commands/dead-letters/dead-letter.ts';
import { replayRecord, retryMessage } from '../../../../../src/serverless/commands/dead-letters/task-again.ts';
import { adminSqs, serviceOf, testContext } from '../context.ts';

const URL_OF = (name: string) => `https://sqs.eu-central-1.amazonaws.com/1/${name}`;
const TASK = { runId: 'run-1', seq: 0, name: 'pay', stepId: 'run-1:0', group: 'pay', input: { card: '4111' }, attempt: 2 };

function message(id: string, note?: object): Message {
  return {
    MessageId: id,
    ReceiptHandle: `handle of ${id}`,
    Body: JSON.stringify(TASK),
    Attributes: { SentTimestamp: '1000', ApproximateReceiveCount: '3', AWSTraceHeader: 'Root=1', MessageGroupId: 'run-1' },
    MessageAttributes: {
      tenant: { DataType: 'String', StringValue: 'acme' },
      key: { DataType: 'Binary', BinaryValue: new Uint8Array([1, 2]) },
      AWSTraceHeader: { DataType: 'String', StringValue: 'Root=1' },
      ...(note === undefined ? {} : { 'durable-parked': { DataType: 'String', StringValue: JSON.stringify(note) } }),
    },
  };
}

const ONE_STEP = serviceOf({ pay: 'pay' });
const SERVICE = {
  ...ONE_STEP,
  steps: ONE_STEP.steps.map((step) => ({ ...step, queues: { tasks: 'tasks', deadLetters: 'dead', parked: 'parked' } })),
};

const FIFO_SERVICE = {
  ...SERVICE,
  steps: SERVICE.steps.map((step) => ({ ...step, queues: { tasks: 'tasks.fifo', deadLetters: 'dead.fifo', parked: 'parked.fifo' } })),
};

interface World {
  readonly parked?: Message[];
  readonly dead?: Message[];
  /** Messages of each queue that no receive gives. */
  readonly hidden?: number;
  readonly fifo?: boolean;
  readonly refuse?: 'send' | 'delete';
  readonly answer?: boolean | undefined;
  readonly columns?: number;
  readonly now?: () => number;
}

/** Runs the command on queues that hold so much; gives what it did. */
async function run(
  options: Record<string, unknown>,
  { parked = [], dead = [], hidden = 0, fifo = false, refuse, answer, now, columns }: World = {},
) {
  const held = new Map([
    [URL_OF(fifo ? 'parked.fifo' : 'parked'), [...parked]],
    [URL_OF('dead'), [...dead]],
  ]);
  const did = { log: [] as string[], sent: [] as SendMessageCommandInput[] };
  const sqs = adminSqs({
    findQueueUrl: async (name) => URL_OF(name),
    attributes: async (url) => ({ ApproximateNumberOfMessages: String((held.get(url)?.length ?? 0) + hidden) }),
    receive: async (url) => {
      did.log.push(`receive ${url.split('/').at(-1)}`);
      return held.get(url)?.splice(0, 10) ?? [];
    },
    send: async (input) => {
      if (refuse === 'send') throw new Error('refused');
      did.sent.push(input);
      did.log.push('send');
    },
    delete: async (_url, handle) => {
      if (refuse === 'delete') throw new Error('refused');
      did.log.push(`delete ${handle}`);
    },
    release: async (_url, handle) => void did.log.push(`release ${handle}`),
    purge: async (url) => void did.log.push(`purge ${url.split('/').at(-1)}`),
    destroy: () => void did.log.push('destroy'),
  });
  const service = fifo ? FIFO_SERVICE : SERVICE;
  const { context, terminal } = testContext({
    service,
    options: { json: true, ...options },
    answer,
    openSqs: () => sqs,
    ...(columns === undefined ? {} : { columns }),
  });
  await deadLettersCommand.run({ ...context, now: now ?? context.now });
  return { ...did, ...terminal };
}

describe('deadLetter', () => {
  it('shows the ids of the task and the note of the dead-letter handler, and nothing of the input', () => {
    const note = { reason: 'receive count used up', firstSeen: '2026-01-01T00:00:00.000Z', receiveCount: 10, resultSent: true };
    const shown = deadLetter(message('m', note), 'parked');
    expect(shown).toEqual({ messageId: 'm', runId: 'run-1', stepId: 'run-1:0', attempt: 2, ...note });
    expect(JSON.stringify(shown)).not.toContain('4111');
  });

  it.each([
    ['dead-letters', 'waiting for the dead-letter handler', false],
    ['parked', 'the dead-letter handler failed on it', null],
  ] as const)('has the reason of the %s queue where it has no note: %s', (queue, reason, resultSent) => {
    expect(deadLetter(message('m'), queue)).toMatchObject({ reason, resultSent, receiveCount: 3, firstSeen: '1970-01-01T00:00:01.000Z' });
  });

  it('has the time of its sending where the note has no valid time', () => {
    expect(deadLetter(message('m', { firstSeen: 'yesterday' }), 'parked').firstSeen).toBe('1970-01-01T00:00:01.000Z');
  });

  it('has no run id where the body is no task', () => {
    expect(deadLetter({ ...message('m'), Body: 'poison' }, 'parked')).toMatchObject({ runId: null, stepId: null });
  });
});

describe('a dead letter as a task again', () => {
  it('keeps its attributes and group, and loses the note and the trace', () => {
    const sent = retryMessage(message('m', { resultSent: false }), URL_OF('tasks'), 'fresh');
    expect(sent).toEqual({
      QueueUrl: URL_OF('tasks'),
      MessageBody: JSON.stringify(TASK),
      MessageAttributes: {
        tenant: { DataType: 'String', StringValue: 'acme' },
        key: { DataType: 'Binary', BinaryValue: new Uint8Array([1, 2]) },
      },
      MessageGroupId: 'run-1',
    });
    expect(retryMessage(message('m'), URL_OF('tasks.fifo'), 'fresh').MessageDeduplicationId).toBe('fresh');
  });

  it('becomes a record of its tasks queue with a receipt handle that SQS refuses', () => {
    const record = replayRecord(message('m', { resultSent: false }), URL_OF('tasks'), 'eu-central-1');
    expect(record.eventSourceARN).toBe('arn:aws:sqs:eu-central-1:1:tasks');
    expect(record.receiptHandle).not.toContain('handle of');
    expect(Object.keys(record.messageAttributes)).toEqual(['tenant', 'key']);
    expect(record.attributes).toMatchObject({ ApproximateReceiveCount: '1', MessageGroupId: 'run-1' });
    expect(record.attributes.AWSTraceHeader).toBeUndefined();
  });
});

describe('sls durable dead-letters', () => {
  const told = message('told', { resultSent: true });
  const untold = message('untold', { resultSent: false });

  it('lists parked messages, makes them visible again, and does not receive from the dead-letter queue', async () => {
    const did = await run({}, { parked: [told, untold], dead: [message('d')] });
    expect(did.log).toEqual(['receive parked', 'receive parked', 'release handle of told', 'release handle of untold', 'destroy']);
    expect(JSON.parse(did.out).steps[0]).toMatchObject({
      deadLetters: { visible: 1 },
      messages: [{ messageId: 'told' }, { messageId: 'untold' }],
    });
    expect(did.code).toBe(0);
  });

  it('prints a table without control characters from outside', async () => {
    const hostile = { ...message('odd', { reason: 'not a RemoteTask: \u001b[2J', receiveCount: 10, resultSent: true }), Body: 'poison' };
    const { out, err, code } = await run({ json: undefined }, { parked: [untold, hostile], dead: [message('d')] });
    expect(out).toBe(
      [
        'pay: 1 waiting for the dead-letter handler (--include-dead-letters shows them; each receive uses up one of their 10), 2 parked',
        '  message id  run    step     attempt  receives  age  engine told  reason',
        '  untold      run-1  run-1:0        2         3  1m   no           the dead-letter handler failed on it',
        '  odd         -      -              -        10  1m   yes          not a RemoteTask: \\u001b[2J',
        '',
      ].join('\n'),
    );
    expect({ err, code }).toEqual({ err: '', code: 0 });
  });

  it('fits a terminal of 80 columns, whatever a run is called', async () => {
    const long = { ...message('7c1f4f2e-3a55-4d0e-9d5e-0c1d2e3f4a5b'), Body: JSON.stringify({ ...TASK, runId: 'r'.repeat(20_000) }) };
    const { out } = await run({ json: undefined }, { parked: [untold, long], columns: 80 });
    const [, ...lines] = out.split('\n');
    expect(lines.filter((line) => !line.includes('r'.repeat(200))).every(({ length }) => length <= 80)).toBe(true);
    expect(out).toContain(`      run          ${'r'.repeat(200)}… (20000 characters)`);
    expect(out).toMatch(/^ {2}untold +run-1:0 +2 +3 {2}1m$/m);
  });

  it('saves messages in a file that only its owner can read', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'saved-'));
    try {
      await run({ save: join(folder, 'x.json') }, { parked: [untold] });
      expect(statSync(join(folder, 'x.json')).mode & 0o777).toBe(0o600);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('prints the outcome of each message with --retry', async () => {
    const { out, err, code } = await run({ json: undefined, retry: true }, { parked: [told, untold] });
    expect(out).toBe(
      'refused  told  pay  run-1  the engine was told that it failed, and has gone on; --force sends it all the same\nsent     untold  pay  run-1\n',
    );
    expect({ err, code }).toEqual({ err: '1 of 2 sent back\n', code: 1 });
  });

  it('receives from both queues with --include-dead-letters', async () => {
    const did = await run({ 'include-dead-letters': true }, { dead: [message('d')] });
    expect(JSON.parse(did.out).steps[0].messages).toMatchObject([{ messageId: 'd', queue: 'dead' }]);
  });

  it('names the queue that holds more messages than --limit lets it show', async () => {
    const did = await run({ limit: '1' }, { parked: [told, untold] });
    expect(JSON.parse(did.out)).toMatchObject({ unfinished: ['parked'] });
    expect(did.log).toContain('release handle of untold');
  });

  it('retries messages that the engine was not told of, deletes each after its send, and refuses the others with exit code 1', async () => {
    const did = await run({ retry: true }, { parked: [told, untold] });
    expect(did.log.filter((line) => !line.startsWith('receive'))).toEqual([
      'send',
      'delete handle of untold',
      'release handle of told',
      'destroy',
    ]);
    expect(JSON.parse(did.out).map(({ outcome }: { outcome: string }) => outcome)).toEqual(['refused', 'sent']);
    expect(did.code).toBe(1);
  });

  it('exits 1 and names the queue where a retry ran out of time before its end', async () => {
    const slow = { step: 60_000, at: 0 };
    const all = Array.from({ length: 30 }, (_, index) => ({ ...untold, MessageId: `m${index}` }));
    const now = () => {
      slow.at += slow.step;
      return slow.at;
    };
    const did = await run({ retry: true }, { parked: all, now });
    expect(did.sent.length).toBeLessThan(all.length);
    expect(did.err).toContain('parked holds more messages than were received: run the command again.');
    expect(did.code).toBe(1);
    const asked = await run({ retry: true, limit: '10' }, { parked: all });
    expect(asked.sent).toHaveLength(10);
    expect(asked.err).toContain('parked holds more');
    expect(asked.code).toBe(0);
  });

  it('retries every message with --force', async () => {
    const did = await run({ retry: true, force: true }, { parked: [told, untold] });
    expect(did.sent).toHaveLength(2);
    expect(did.code).toBe(0);
  });

  it('keeps a message whose send SQS refuses', async () => {
    const did = await run({ retry: true }, { parked: [untold], refuse: 'send' });
    expect(did.log).toContain('release handle of untold');
    expect(did.log.join()).not.toContain('delete');
    expect(did.code).toBe(1);
  });

  it('reports a message that was sent and could not be deleted as doubled', async () => {
    const did = await run({ retry: true }, { parked: [untold], refuse: 'delete' });
    expect(JSON.parse(did.out)).toMatchObject([{ outcome: 'doubled' }]);
    expect(did.code).toBe(1);
  });

  it('exits 1 where no message has the id of --id', async () => {
    const did = await run({ id: 'gone' }, { parked: [told] });
    expect(did.err).toContain('no message gone is visible now');
    expect(did.code).toBe(1);
  });

  it('reports a FIFO queue as unfinished where a group hides further messages', async () => {
    const listed = await run({}, { parked: [untold], hidden: 3, fifo: true });
    expect(JSON.parse(listed.out)).toMatchObject({ unfinished: ['parked.fifo'] });
    const folder = mkdtempSync(join(tmpdir(), 'saved-'));
    const saved = await run({ save: join(folder, 'x.json') }, { parked: [untold], hidden: 3, fifo: true });
    rmSync(folder, { recursive: true });
    expect(saved.err).toContain(
      'parked.fifo holds more messages than were received: a FIFO queue gives the first messages of a group only',
    );
    expect(saved.code).toBe(1);
    const retried = await run({ retry: true }, { parked: [untold], fifo: true });
    expect(retried.code).toBe(0);
  });

  it('purges after a yes, and not after a no', async () => {
    const yes = await run({ purge: true }, { parked: [told], answer: true });
    expect(yes.asked).toBe('Delete 1 message of parked for good?');
    expect(yes.log).toContain('purge parked');
    const no = await run({ purge: true }, { parked: [told], answer: false });
    expect(no.log).not.toContain('purge parked');
    expect(no.code).toBe(1);
  });

  it('deletes the one message of --purge --id', async () => {
    const did = await run({ purge: true, yes: true, id: 'told' }, { parked: [told, untold] });
    expect(did.log).toContain('delete handle of told');
    expect(did.log).toContain('release handle of untold');
    expect(did.log).not.toContain('purge parked');
  });

  it.each([
    [{ purge: true }, '--purge: there is no terminal to ask on; --yes deletes 1 message of parked without a question'],
    [{ purge: true, retry: true }, 'expected one of --save, --retry and --purge, got several'],
    [{ force: true }, '--force: it goes with --retry'],
    [{ yes: true }, '--yes: it goes with --purge'],
    [{ step: 'nope' }, '--step: no step or workflow "nope" in this service; it has pay'],
    [{ limit: '0' }, '--limit: expected an integer from 1 to 100000, got "0"'],
  ])('refuses %j', async (options, expected) => {
    await expect(run(options, { parked: [told] })).rejects.toMatchObject({ name: 'ServerlessError', message: expected });
  });
});
