import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { QueueNotFoundError, SqsRequestError } from '../../../src/errors.ts';
import { openSigned } from '../../../src/lambda/open-sender.ts';
import { resultSender } from '../../../src/sqs/api-calls.ts';
import type { HttpAnswer, HttpLimits, HttpPost } from '../../../src/sqs/http-connections.ts';
import { invocationTraceId } from '../../../src/sqs/signed-operations.ts';
import { FakeTiming, settle } from '../../support/fake-timing.ts';
import { md5 } from '../../support/stub-request-handler.ts';
import { accepted } from '../../support/stub-sqs.ts';

const QUEUE = 'https://sqs.eu-west-1.amazonaws.com/123456789012/durable-results';

interface Answer {
  readonly status?: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Entries {
  readonly Entries: readonly { readonly Id: string; readonly MessageBody: string }[];
}

/** A worker's sender whose requests end here: each meets the next of `answers`, and is accepted where there is none. */
function setUp({ answers = [], env = {} }: { answers?: (Answer | Error)[]; env?: NodeJS.ProcessEnv } = {}) {
  const requests: HttpPost[] = [];
  const answerMs: (number | undefined)[] = [];
  const timing = new FakeTiming();
  const post = async (request: HttpPost, limits: HttpLimits): Promise<HttpAnswer> => {
    requests.push(request);
    answerMs.push(limits.answerMs);
    const input = JSON.parse(request.body.toString());
    const operation = String(request.headers['x-amz-target']).replace('AmazonSQS.', '');
    const answer: Answer | Error = answers.shift() ?? { body: accepted({ operation, input }) };
    if (answer instanceof Error) throw answer;
    const { status = 200, body = {}, headers = {} } = answer;
    return { status, headers, body: typeof body === 'string' ? body : JSON.stringify(body) };
  };
  const environment = { AWS_REGION: 'eu-west-1', AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'secret', ...env };
  const sender = resultSender(openSigned({}, environment, { post, destroy: () => undefined }, timing));
  return { sender, requests, answerMs, timing, env: environment };
}

const refused = (status: number, code: string, headers: Readonly<Record<string, string>> = {}): Answer => {
  return { status, body: { __type: `com.amazonaws.sqs#${code}`, message: 'why' }, headers };
};
const broken = (code: string, fault?: string) => Object.assign(new Error(`read ${code}`), { code }, fault === undefined ? {} : { fault });
const inputOf = (request: HttpPost | undefined): Entries => JSON.parse(request?.body.toString() ?? '{}');

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail('expected a rejection'),
    (error: unknown) => error,
  );
}

/** Lets backoffs pass until the call has ended. */
async function played<T>(timing: FakeTiming, call: Promise<T>): Promise<T> {
  let ended = false;
  const end = () => {
    ended = true;
  };
  call.then(end, end);
  await settle();
  while (!ended) await timing.advance(50);
  return call;
}

afterEach(() => {
  vi.useRealTimers();
});

describe('a send', () => {
  it('names entries by position, types attributes, and puts group and deduplication id where they are given', async () => {
    const { sender, requests } = setUp();
    const binary = { dataType: 'Binary', value: Buffer.from([0, 255]) };
    const messages = [
      { body: 'a' },
      { body: 'é', attributes: { marker: '1', size: { dataType: 'Number', value: '7' }, raw: binary }, groupId: 'g', deduplicationId: 'd' },
    ];
    expect(await sender.sendMessages(QUEUE, messages)).toEqual([{ ok: true }, { ok: true }]);
    expect(requests.map(({ url }) => url.href)).toEqual(['https://sqs.eu-west-1.amazonaws.com/']);
    expect(requests[0]?.headers['x-amz-target']).toBe('AmazonSQS.SendMessageBatch');
    expect(inputOf(requests[0])).toEqual({
      QueueUrl: QUEUE,
      Entries: [
        { Id: '0', MessageBody: 'a' },
        {
          Id: '1',
          MessageBody: 'é',
          MessageAttributes: {
            marker: { DataType: 'String', StringValue: '1' },
            size: { DataType: 'Number', StringValue: '7' },
            raw: { DataType: 'Binary', BinaryValue: 'AP8=' },
          },
          MessageGroupId: 'g',
          MessageDeduplicationId: 'd',
        },
      ],
    });
  });

  it('gives each entry its own outcome, whatever order SQS answers in; one that it does not name may be sent again', async () => {
    const Failed = [
      { Id: '3', Code: 'AWS.SimpleQueueService.InternalError', SenderFault: false },
      { Id: '1', Code: 'InvalidMessageContents', SenderFault: true },
      { Id: '9', Code: 'Odd' },
    ];
    const { sender } = setUp({ answers: [{ body: { Successful: [{ Id: '0', MD5OfMessageBody: md5('0') }], Failed } }] });
    const bodies = ['0', '1', '2', '3'].map((body) => ({ body }));
    expect(await sender.sendMessages(QUEUE, bodies)).toEqual([
      { ok: true },
      { ok: false, sqsCode: 'InvalidMessageContents', transient: false },
      { ok: false, sqsCode: 'NoOutcome', transient: true },
      { ok: false, sqsCode: 'InternalError', transient: true },
    ]);
  });

  it('takes a message whose checksum came back wrong for not accepted, and only that one', async () => {
    const Successful = [
      { Id: '0', MD5OfMessageBody: md5('changed') },
      { Id: '1', MD5OfMessageBody: md5('b'), MD5OfMessageAttributes: md5('changed') },
      { Id: '2', MD5OfMessageBody: md5('c') },
    ];
    const { sender } = setUp({ answers: [{ body: { Successful } }] });
    const mismatch = { ok: false, sqsCode: 'ChecksumMismatch', transient: true };
    expect(await sender.sendMessages(QUEUE, [{ body: 'a' }, { body: 'b', attributes: { x: '1' } }, { body: 'c' }])).toEqual([
      mismatch,
      mismatch,
      { ok: true },
    ]);
  });

  it('checks attributes as SQS counts them: by name, type, kind and value, each with its length', async () => {
    const field = (text: string) => Buffer.concat([Buffer.of(0, 0, 0, Buffer.byteLength(text)), Buffer.from(text)]);
    const parts = [
      field('a'),
      field('Binary'),
      Buffer.of(2),
      Buffer.of(0, 0, 0, 1, 255),
      field('z'),
      field('String'),
      Buffer.of(1),
      field('é'),
    ];
    const MD5OfMessageAttributes = createHash('md5').update(Buffer.concat(parts)).digest('hex');
    const answers = [{ body: { Successful: [{ Id: '0', MD5OfMessageBody: md5('b'), MD5OfMessageAttributes }] } }];
    const attributes = { z: 'é', a: { dataType: 'Binary', value: Buffer.of(255) } };
    expect(await setUp({ answers }).sender.sendMessages(QUEUE, [{ body: 'b', attributes }])).toEqual([{ ok: true }]);
  });
});

describe('the other calls', () => {
  it('change visibilities, each with its own outcome', async () => {
    const answers = [{ body: { Successful: [{ Id: '1' }], Failed: [{ Id: '0', Code: 'ReceiptHandleIsInvalid', SenderFault: true }] } }];
    const { sender, requests } = setUp({ answers });
    const changes = ['r0', 'r1'].map((receiptHandle) => ({ receiptHandle, timeoutSeconds: 0 }));
    expect(await sender.changeVisibility(QUEUE, changes)).toEqual([
      { ok: false, sqsCode: 'ReceiptHandleIsInvalid', transient: false },
      { ok: true },
    ]);
    expect(inputOf(requests[0])).toEqual({
      QueueUrl: QUEUE,
      Entries: [
        { Id: '0', ReceiptHandle: 'r0', VisibilityTimeout: 0 },
        { Id: '1', ReceiptHandle: 'r1', VisibilityTimeout: 0 },
      ],
    });
  });

  it('find a queue by its name, in the region of the environment', async () => {
    const { sender, requests } = setUp({ env: { AWS_REGION: 'cn-north-1' } });
    expect(await sender.findQueueUrl('durable-results')).toMatch(/\/durable-results$/);
    expect(requests[0]?.url.href).toBe('https://sqs.cn-north-1.amazonaws.com.cn/');
    expect(await sender.region()).toBe('cn-north-1');
  });

  it('find nothing where there is no such queue, or IAM hides it', async () => {
    const { sender } = setUp({ answers: [refused(400, 'QueueDoesNotExist'), refused(403, 'AccessDenied')] });
    expect(await sender.findQueueUrl('durable-results')).toBeUndefined();
    expect(await sender.findQueueUrl('durable-results.fifo')).toBeUndefined();
  });
});

describe('a failure', () => {
  it.each<[string, Answer]>([
    ['the JSON protocol', refused(400, 'QueueDoesNotExist')],
    ['the older protocol', { status: 400, body: { __type: 'AWS.SimpleQueueService.NonExistentQueue', message: 'gone' } }],
    ['a header', { status: 400, body: '', headers: { 'x-amzn-query-error': 'AWS.SimpleQueueService.NonExistentQueue;Sender' } }],
  ])('names a missing queue, said by %s', async (_how, answer) => {
    const { sender, requests } = setUp({ answers: [answer] });
    const error = await rejection(sender.sendMessages(QUEUE, [{ body: 'a' }]));
    expect(error).toBeInstanceOf(QueueNotFoundError);
    expect(error).toMatchObject({ queue: QUEUE, region: 'eu-west-1' });
    expect(requests).toHaveLength(1);
  });

  it('tells a definite refusal at once, and keeps its text nowhere', async () => {
    const { sender, requests } = setUp({ answers: [refused(403, 'AccessDeniedException')] });
    expect(await rejection(sender.sendMessages(QUEUE, [{ body: 'a' }]))).toMatchObject({
      name: 'SqsRequestError',
      message: 'SQS SendMessageBatch failed: AccessDeniedException',
      sqsCode: 'AccessDeniedException',
      transient: false,
      cause: { message: 'AccessDeniedException, HTTP status 403' },
    });
    expect(requests).toHaveLength(1);
  });

  it.each<[string, Answer | Error]>([
    ['500', refused(500, 'InternalFailure')],
    ['503 of a proxy', { status: 503, body: '<html>busy</html>' }],
    ['throttling', refused(400, 'ThrottlingException')],
    ['429', { status: 429, body: '' }],
    ['403 of a proxy', { status: 403, body: '<html>' }],
    ['302 of a portal', { status: 302, body: '<html>' }],
    ['an answer that is no JSON', { body: 'OK' }],
    ['a broken connection', broken('ECONNRESET')],
    ['a name that does not resolve', broken('EAI_AGAIN')],
  ])('%s is transient: the request is sent again, after a delay', async (_what, answer) => {
    const { sender, requests, timing } = setUp({ answers: [answer, answer] });
    expect(await played(timing, sender.sendMessages(QUEUE, [{ body: 'a' }]))).toEqual([{ ok: true }]);
    expect(requests).toHaveLength(3);
    expect(timing.slept).toEqual([50, 100]);
  });

  it('keeps at it for a second and a half, and then says so', async () => {
    const { sender, timing } = setUp({ answers: Array.from({ length: 50 }, () => broken('ECONNREFUSED')) });
    const error = await rejection(played(timing, sender.sendMessages(QUEUE, [{ body: 'a' }])));
    expect(error).toBeInstanceOf(SqsRequestError);
    expect(error).toMatchObject({ sqsCode: 'ECONNREFUSED', transient: true });
    const inTotal = timing.slept.reduce((sum, ms) => sum + ms, 0);
    expect(inTotal).toBeLessThanOrEqual(1_500);
    expect(inTotal).toBeGreaterThan(1_000);
  });

  it('names a proxy by its status', async () => {
    const { sender, timing } = setUp({ answers: Array.from({ length: 50 }, () => ({ status: 407, body: '<html>' })) });
    const error = await rejection(played(timing, sender.sendMessages(QUEUE, [{ body: 'a' }])));
    expect(error).toMatchObject({ sqsCode: 'Http407', transient: true });
  });

  it('an idle connection that fails costs no delay, up to six times in a row', async () => {
    const idle = () => broken('ECONNRESET', 'idle connection');
    const { sender, requests, timing } = setUp({ answers: Array.from({ length: 7 }, idle) });
    expect(await played(timing, sender.sendMessages(QUEUE, [{ body: 'a' }]))).toEqual([{ ok: true }]);
    expect(requests).toHaveLength(8);
    expect(timing.slept).toEqual([50]);
  });

  it('a missing answer gives the next try twice the time, at once', async () => {
    const unanswered = () => broken('TimeoutError', 'no answer');
    const { sender, answerMs, timing } = setUp({ answers: [unanswered(), unanswered(), unanswered()] });
    expect(await sender.sendMessages(QUEUE, [{ body: 'a' }])).toEqual([{ ok: true }]);
    await sender.sendMessages(QUEUE, [{ body: 'b' }]);
    expect(answerMs).toEqual([3_000, 6_000, 12_000, 24_000, 3_000]);
    expect(timing.slept).toEqual([]);
  });
});

describe('a clock that is wrong', () => {
  const serverTime = '2026-11-24T01:02:03Z';
  const late = (code: string) => refused(403, code, { date: new Date(serverTime).toUTCString() });

  it.each(['InvalidSignatureException', 'RequestExpired', 'SignatureDoesNotMatch'])('gets corrected from the answer (%s)', async (code) => {
    vi.useFakeTimers({ now: new Date('2026-11-24T00:02:03Z'), toFake: ['Date'] });
    const { sender, requests, timing } = setUp({ answers: [late(code)] });
    expect(await sender.sendMessages(QUEUE, [{ body: 'a' }])).toEqual([{ ok: true }]);
    expect(await sender.sendMessages(QUEUE, [{ body: 'b' }])).toEqual([{ ok: true }]);
    expect(requests.map(({ headers }) => headers['x-amz-date'])).toEqual(['20261124T000203Z', '20261124T010203Z', '20261124T010203Z']);
    expect(timing.slept).toEqual([]);
  });

  it('gets corrected once by two requests that failed together', async () => {
    vi.useFakeTimers({ now: new Date('2026-11-24T00:02:03Z'), toFake: ['Date'] });
    const { sender, requests } = setUp({ answers: [late('RequestExpired'), late('RequestExpired')] });
    await Promise.all(['a', 'b'].map((body) => sender.sendMessages(QUEUE, [{ body }])));
    expect(requests.slice(2).map(({ headers }) => headers['x-amz-date'])).toEqual(['20261124T010203Z', '20261124T010203Z']);
  });

  it('gets corrected back when it has been set right', async () => {
    vi.useFakeTimers({ now: new Date('2026-11-24T00:02:03Z'), toFake: ['Date'] });
    const answers = [late('RequestExpired')];
    const { sender, requests } = setUp({ answers });
    await sender.sendMessages(QUEUE, [{ body: 'a' }]);
    vi.setSystemTime(new Date(serverTime));
    answers.push(late('RequestInTheFuture'));
    await sender.sendMessages(QUEUE, [{ body: 'b' }]);
    expect(requests.slice(2).map(({ headers }) => headers['x-amz-date'])).toEqual(['20261124T020203Z', '20261124T010203Z']);
  });

  it.each([
    ["SQS's date is none that can be signed", { ...late('InvalidSignatureException'), headers: { date: '+275760-09-13T00:00:00Z' } }],
    ["the answer is not SQS's", { status: 403, body: '<html>', headers: { date: new Date(serverTime).toUTCString() } }],
  ])('stays as it is if %s', async (_why, answer) => {
    vi.useFakeTimers({ now: new Date('2026-11-24T00:02:03Z'), toFake: ['Date'] });
    const { sender, requests, timing } = setUp({ answers: [answer] });
    await played(timing, sender.sendMessages(QUEUE, [{ body: 'a' }])).catch(() => undefined);
    await sender.sendMessages(QUEUE, [{ body: 'b' }]);
    expect(requests.at(-1)?.headers['x-amz-date']).toBe('20261124T000203Z');
  });

  it('explains no refusal for another reason', async () => {
    const { sender, requests } = setUp({ answers: [late('AccessDeniedException')] });
    expect(await rejection(sender.sendMessages(QUEUE, [{ body: 'a' }]))).toMatchObject({ sqsCode: 'AccessDeniedException' });
    expect(requests).toHaveLength(1);
  });

  it('explains no refusal while it is right: a wrong secret is refused for good', async () => {
    vi.useFakeTimers({ now: new Date(serverTime), toFake: ['Date'] });
    const { sender, requests } = setUp({ answers: [late('InvalidSignatureException')] });
    const error = await rejection(sender.sendMessages(QUEUE, [{ body: 'a' }]));
    expect(error).toMatchObject({ sqsCode: 'InvalidSignatureException', transient: false });
    expect(requests).toHaveLength(1);
  });
});

describe('what a request takes from the environment', () => {
  it('credentials and trace id are read anew for each request', async () => {
    const { sender, requests, env } = setUp();
    await sender.sendMessages(QUEUE, [{ body: 'a' }]);
    Object.assign(env, { AWS_ACCESS_KEY_ID: 'AKIDOTHER', AWS_SESSION_TOKEN: 'token', _X_AMZN_TRACE_ID: 'Root=1-2-3' });
    await sender.sendMessages(QUEUE, [{ body: 'b' }]);
    const [first, second] = requests.map(({ headers }) => headers);
    expect(first?.['authorization']).toContain('Credential=AKIDEXAMPLE/');
    expect(first).not.toHaveProperty('x-amzn-trace-id');
    expect(second?.['authorization']).toContain('Credential=AKIDOTHER/');
    expect(second).toMatchObject({ 'x-amz-security-token': 'token', 'x-amzn-trace-id': 'Root=1-2-3' });
  });

  it('may be missing: credentials for a while, a region for good; nothing is sent', async () => {
    const keyless = setUp({ env: { AWS_SECRET_ACCESS_KEY: '' }, answers: [] });
    const error = rejection(played(keyless.timing, keyless.sender.sendMessages(QUEUE, [{ body: 'a' }])));
    expect(await error).toMatchObject({ sqsCode: 'CredentialsError', transient: true });
    expect(keyless.requests).toEqual([]);

    const nowhere = setUp({ env: { AWS_REGION: '' } });
    expect(await rejection(nowhere.sender.sendMessages('http://127.0.0.1:1/1/q', [{ body: 'a' }]))).toMatchObject({ transient: false });
    expect(nowhere.requests).toEqual([]);
    expect(await nowhere.sender.region()).toBe('(none)');
  });

  it.each([
    [{ AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }, 'http://127.0.0.1:1/'],
    [{ AWS_ENDPOINT_URL: 'http://127.0.0.1:1', AWS_ENDPOINT_URL_SQS: 'http://127.0.0.1:2' }, 'http://127.0.0.1:2/'],
    [{ AWS_ENDPOINT_URL: 'http://127.0.0.1:1', AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' }, 'https://sqs.eu-west-1.amazonaws.com/'],
  ])('the endpoint is read: %o', async (env, href) => {
    const { sender, requests } = setUp({ env });
    await sender.sendMessages(QUEUE, [{ body: 'a' }]);
    expect(requests[0]?.url.href).toBe(href);
  });

  it('the trace id is that of the invocation in a process of many at once', () => {
    const runtime = { InvokeStore: { getXRayTraceId: () => 'Root=its-own' } };
    expect(invocationTraceId({ _X_AMZN_TRACE_ID: 'Root=process' }, runtime)).toBe('Root=its-own');
    expect(invocationTraceId({ _X_AMZN_TRACE_ID: 'Root=process' }, { InvokeStore: { getXRayTraceId: () => undefined } })).toBe(
      'Root=process',
    );
    expect(invocationTraceId({ _X_AMZN_TRACE_ID: 'Root=process' }, {})).toBe('Root=process');
    expect(invocationTraceId({}, undefined)).toBeUndefined();
  });
});
