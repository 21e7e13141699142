import { inspect } from 'node:util';
import { SQSClient, type SQSClientConfig } from '@aws-sdk/client-sqs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { QueueNotFoundError, SqsRequestError } from '../../../src/errors.ts';
import { sqsApi } from '../../../src/sqs/api-calls.ts';
import { openSqs } from '../../../src/sqs/open-sqs.ts';
import type { SqsApi } from '../../../src/sqs/sqs-api.ts';
import { deferred, stateOf } from '../../support/deferred.ts';
import { IMPLEMENTATIONS } from '../../support/sqs-implementations.ts';
import { md5, type SdkAnswer, type SdkRequest, stubbedClient } from '../../support/stub-request-handler.ts';

const QUEUE = 'https://sqs.eu-west-1.amazonaws.com/1/durable-tasks-charge';

type Answers = (SdkAnswer | Error | ((request: SdkRequest) => SdkAnswer | Promise<SdkAnswer>))[];

const failed = (Id: string, Code: string | undefined, SenderFault: boolean) => ({ Id, Code, SenderFault, Message: 'why' });
const missing = { status: 400, body: { __type: 'com.amazonaws.sqs#QueueDoesNotExist', message: 'no such queue' } };

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail('expected a rejection'),
    (error: unknown) => error,
  );
}

describe.each(IMPLEMENTATIONS)('%s', (_name, open) => {
  function setUp(...answers: Answers) {
    const { operations, requests } = open((request) => {
      const answer = answers.shift() ?? new Error('one request too many');
      return typeof answer === 'function' ? answer(request) : answer;
    });
    return { api: sqsApi(operations), requests };
  }

  describe('sendMessages', () => {
    it('names entries by position, types attributes, and puts the group where it is given', async () => {
      const { api, requests } = setUp({
        body: {
          Successful: [
            { Id: '0', MD5OfMessageBody: md5('a') },
            { Id: '1', MD5OfMessageBody: md5('b') },
          ],
        },
      });
      const sent = await api.sendMessages(QUEUE, [{ body: 'a' }, { body: 'b', attributes: { marker: 'm', other: 'é' }, groupId: 'acme' }]);
      expect(sent).toEqual([{ ok: true }, { ok: true }]);
      expect(requests).toHaveLength(1);
      expect(requests[0]).toMatchObject({ operation: 'SendMessageBatch', hostname: 'sqs.eu-west-1.amazonaws.com' });
      expect(requests[0]?.input).toEqual({
        QueueUrl: QUEUE,
        Entries: [
          { Id: '0', MessageBody: 'a' },
          {
            Id: '1',
            MessageBody: 'b',
            MessageGroupId: 'acme',
            MessageAttributes: { marker: { DataType: 'String', StringValue: 'm' }, other: { DataType: 'String', StringValue: 'é' } },
          },
        ],
      });
    });

    it('puts the outcome of each entry in its place, whatever order SQS answers in', async () => {
      const { api } = setUp({
        body: {
          Successful: [
            { Id: '4', MD5OfMessageBody: md5('4') },
            { Id: '0', MD5OfMessageBody: md5('0') },
          ],
          Failed: [
            failed('3', 'AWS.SimpleQueueService.InternalError', false),
            failed('1', 'InvalidMessageContents', true),
            failed('2', undefined, true),
          ],
        },
      });
      expect(
        await api.sendMessages(
          QUEUE,
          ['0', '1', '2', '3', '4'].map((body) => ({ body })),
        ),
      ).toEqual([
        { ok: true },
        { ok: false, sqsCode: 'InvalidMessageContents', transient: false },
        { ok: false, sqsCode: 'Unknown', transient: false },
        { ok: false, sqsCode: 'InternalError', transient: true },
        { ok: true },
      ]);
    });

    it('takes an entry that SQS does not mention for failed: nothing may be lost to a broken answer', async () => {
      const { api } = setUp({ body: {} });
      expect(await api.sendMessages(QUEUE, [{ body: 'a' }])).toEqual([{ ok: false, sqsCode: 'NoOutcome', transient: true }]);
    });

    it('takes a message whose checksum came back wrong for a failure that may not repeat', async () => {
      const { api } = setUp({ body: { Successful: [{ Id: '0', MD5OfMessageBody: md5('other') }] } });
      const outcome = await api.sendMessages(QUEUE, [{ body: 'a' }]).then(
        ([first]) => first,
        (error: unknown) => error,
      );
      expect(outcome).toMatchObject({ transient: true });
    });
  });

  describe('receiveMessages', () => {
    it('asks for the receive count and for what it was told to', async () => {
      const { api, requests } = setUp({ body: {} }, { body: {} });
      await api.receiveMessages(QUEUE, { maxMessages: 7, waitTimeSeconds: 20, visibilityTimeoutSeconds: 0, attributeNames: ['marker'] });
      await api.receiveMessages(QUEUE, { maxMessages: 1, waitTimeSeconds: 0, attributeNames: [] });
      expect(requests.map(({ input }) => input)).toEqual([
        {
          QueueUrl: QUEUE,
          MaxNumberOfMessages: 7,
          WaitTimeSeconds: 20,
          VisibilityTimeout: 0,
          MessageSystemAttributeNames: ['ApproximateReceiveCount', 'MessageGroupId', 'SentTimestamp'],
          MessageAttributeNames: ['marker'],
        },
        {
          QueueUrl: QUEUE,
          MaxNumberOfMessages: 1,
          WaitTimeSeconds: 0,
          MessageSystemAttributeNames: ['ApproximateReceiveCount', 'MessageGroupId', 'SentTimestamp'],
        },
      ]);
    });

    it('reads messages, and leaves out what has no id or handle', async () => {
      const { api } = setUp({
        body: {
          Messages: [
            {
              MessageId: 'm1',
              ReceiptHandle: 'r1',
              Body: 'a',
              MD5OfBody: md5('a'),
              Attributes: { ApproximateReceiveCount: '3' },
              MessageAttributes: { marker: { DataType: 'String', StringValue: 'x' } },
            },
            { MessageId: 'm2', ReceiptHandle: 'r2', Body: '', MD5OfBody: md5('') },
            { MessageId: 'm3', Body: 'no handle', MD5OfBody: md5('no handle') },
            { ReceiptHandle: 'r4', Body: 'no id', MD5OfBody: md5('no id') },
          ],
        },
      });
      expect(await api.receiveMessages(QUEUE, { maxMessages: 10, waitTimeSeconds: 20 })).toEqual([
        { messageId: 'm1', receiptHandle: 'r1', body: 'a', receiveCount: 3, attributeNames: ['marker'] },
        { messageId: 'm2', receiptHandle: 'r2', body: '', receiveCount: 1, attributeNames: [] },
      ]);
    });

    it('gives nothing for an empty receive', async () => {
      const { api } = setUp({ body: {} });
      expect(await api.receiveMessages(QUEUE, { maxMessages: 10, waitTimeSeconds: 20 })).toEqual([]);
    });

    it('ends when its signal aborts', async () => {
      const { api } = setUp((request) => untilAborted(request));
      const controller = new AbortController();
      const receive = rejection(api.receiveMessages(QUEUE, { maxMessages: 10, waitTimeSeconds: 20 }, controller.signal));
      expect(await stateOf(receive)).toBe('pending');
      controller.abort();
      expect(await receive).toMatchObject({ name: 'SqsRequestError', sqsCode: 'AbortError', transient: true });
    });

    it('tells a request at once that its signal has aborted', async () => {
      const { api, requests } = setUp({ body: {} });
      await api.receiveMessages(QUEUE, { maxMessages: 10, waitTimeSeconds: 20 }, AbortSignal.abort());
      expect(requests[0]?.abortSignal?.aborted).toBe(true);
    });
  });

  describe('time limits', () => {
    afterEach(() => {
      vi.useRealTimers();
    });

    it.each([0, 20])('a long poll of %i s ends by itself, and is ended where the connection died', async (waitTimeSeconds) => {
      vi.useFakeTimers();
      const { api, requests } = setUp((request) => untilAborted(request));
      const receive = rejection(api.receiveMessages(QUEUE, { maxMessages: 10, waitTimeSeconds }));
      await vi.advanceTimersByTimeAsync((waitTimeSeconds + 14) * 1_000);
      // Over the SDK: a client may come with a limit that is shorter than a long poll.
      expect(requests[0]?.requestTimeout ?? 0).toBe(0);
      expect(requests[0]?.abortSignal?.aborted).toBe(false);
      await vi.advanceTimersByTimeAsync(1_000);
      expect(await receive).toMatchObject({
        name: 'SqsRequestError',
        sqsCode: 'TimeoutError',
        transient: true,
        cause: { name: 'AbortError' },
      });
      expect(vi.getTimerCount()).toBe(0);
    });

    it('a limit that fires late, because the process stood still, starts anew', async () => {
      vi.useFakeTimers();
      const answer = deferred<SdkAnswer>();
      const { api, requests } = setUp(() => answer.promise);
      const sent = api.sendMessages(QUEUE, [{ body: 'a' }]);
      await vi.advanceTimersByTimeAsync(1_000);
      vi.setSystemTime(Date.now() + 40_000);
      await vi.advanceTimersByTimeAsync(29_500);
      expect(requests[0]?.abortSignal?.aborted).toBe(false);
      answer.resolve({ body: { Successful: [{ Id: '0', MD5OfMessageBody: md5('a') }] } });
      expect(await sent).toEqual([{ ok: true }]);
    });

    it('a send that hangs is ended: it may have been accepted, and may be tried again', async () => {
      vi.useFakeTimers();
      const { api } = setUp((request) => untilAborted(request));
      const sent = rejection(api.sendMessages(QUEUE, [{ body: 'a' }]));
      await vi.advanceTimersByTimeAsync(30_000);
      expect(await sent).toMatchObject({ sqsCode: 'TimeoutError', transient: true });
    });

    it('a call leaves no timer and no listener behind', async () => {
      vi.useFakeTimers();
      const { api } = setUp({ body: {} }, new Error('down'));
      const { signal } = new AbortController();
      const add = vi.spyOn(signal, 'addEventListener');
      const remove = vi.spyOn(signal, 'removeEventListener');
      await api.receiveMessages(QUEUE, { maxMessages: 10, waitTimeSeconds: 20 }, signal);
      await rejection(api.receiveMessages(QUEUE, { maxMessages: 10, waitTimeSeconds: 20 }, signal));
      expect(vi.getTimerCount()).toBe(0);
      expect(add).toHaveBeenCalledTimes(2);
      expect(remove.mock.calls.map(([, listener]) => listener)).toEqual(add.mock.calls.map(([, listener]) => listener));
    });
  });

  describe('deleteMessages and changeVisibility', () => {
    it('both name entries by position and map outcomes', async () => {
      const { api, requests } = setUp(
        { body: { Successful: [{ Id: '0' }], Failed: [failed('1', 'ReceiptHandleIsInvalid', true)] } },
        { body: { Successful: [{ Id: '1' }], Failed: [failed('0', 'InternalError', false)] } },
      );
      expect(await api.deleteMessages(QUEUE, ['r0', 'r1'])).toEqual([
        { ok: true },
        { ok: false, sqsCode: 'ReceiptHandleIsInvalid', transient: false },
      ]);
      const changes = [
        { receiptHandle: 'r0', timeoutSeconds: 0 },
        { receiptHandle: 'r1', timeoutSeconds: 43_200 },
      ];
      expect(await api.changeVisibility(QUEUE, changes)).toEqual([{ ok: false, sqsCode: 'InternalError', transient: true }, { ok: true }]);
      expect(requests.map(({ operation, input }) => [operation, input])).toEqual([
        [
          'DeleteMessageBatch',
          {
            QueueUrl: QUEUE,
            Entries: [
              { Id: '0', ReceiptHandle: 'r0' },
              { Id: '1', ReceiptHandle: 'r1' },
            ],
          },
        ],
        [
          'ChangeMessageVisibilityBatch',
          {
            QueueUrl: QUEUE,
            Entries: [
              { Id: '0', ReceiptHandle: 'r0', VisibilityTimeout: 0 },
              { Id: '1', ReceiptHandle: 'r1', VisibilityTimeout: 43_200 },
            ],
          },
        ],
      ]);
    });
  });

  describe('findQueueUrl', () => {
    it('gives the URL', async () => {
      const { api, requests } = setUp({ body: { QueueUrl: QUEUE } });
      expect(await api.findQueueUrl('durable-tasks-charge')).toBe(QUEUE);
      expect(requests[0]).toMatchObject({ operation: 'GetQueueUrl', input: { QueueName: 'durable-tasks-charge' } });
    });

    it.each<[string, SdkAnswer]>([
      ['AWS', missing],
      ['AWS in the query protocol', { ...missing, queryError: 'AWS.SimpleQueueService.NonExistentQueue' }],
      ['an emulator', { status: 400, body: { __type: 'AWS.SimpleQueueService.NonExistentQueue', message: 'gone' } }],
    ])('gives undefined where %s says that there is none', async (_who, answer) => {
      expect(await setUp(answer).api.findQueueUrl('q')).toBeUndefined();
    });

    it('tells another failure from a missing queue', async () => {
      const { api } = setUp({ status: 403, body: { __type: 'InvalidSecurity', message: 'no' } });
      expect(await rejection(api.findQueueUrl('q'))).toMatchObject({
        name: 'SqsRequestError',
        sqsCode: 'InvalidSecurity',
        transient: false,
      });
    });

    it.each(['AccessDenied', 'AccessDeniedException'])('gives undefined where IAM hides the queue (%s)', async (__type) => {
      expect(await setUp({ status: 403, body: { __type, message: 'no' } }).api.findQueueUrl('q')).toBeUndefined();
    });

    it('takes a refusal of any other call for a refusal', async () => {
      const { api } = setUp({ status: 403, body: { __type: 'AccessDenied', message: 'no' } });
      expect(await rejection(api.queueAttributes(QUEUE, ['QueueArn']))).toMatchObject({ name: 'SqsRequestError', sqsCode: 'AccessDenied' });
    });
  });

  describe('createQueue', () => {
    it('creates with the attributes', async () => {
      const { api, requests } = setUp({ body: { QueueUrl: QUEUE } });
      expect(await api.createQueue('q', { VisibilityTimeout: '30' })).toBe(QUEUE);
      expect(requests[0]).toMatchObject({ operation: 'CreateQueue', input: { QueueName: 'q', Attributes: { VisibilityTimeout: '30' } } });
    });

    it.each(['com.amazonaws.sqs#QueueNameExists', 'QueueAlreadyExists', 'AWS.SimpleQueueService.QueueNameExists'])(
      'takes the queue that somebody else made meanwhile (%s)',
      async (__type) => {
        const { api, requests } = setUp({ status: 400, body: { __type, message: 'exists' } }, { body: { QueueUrl: QUEUE } });
        const { createQueue } = api;
        expect(await createQueue('q', {})).toBe(QUEUE);
        expect(requests.map(({ operation }) => operation)).toEqual(['CreateQueue', 'GetQueueUrl']);
      },
    );

    it('says so where that one has gone again', async () => {
      const { api } = setUp({ status: 400, body: { __type: 'QueueNameExists', message: 'exists' } }, missing);
      expect(await rejection(api.createQueue('q', {}))).toMatchObject({ name: 'QueueNotFoundError', queue: 'q', region: 'eu-west-1' });
    });

    it('passes on any other failure', async () => {
      const { api, requests } = setUp({ status: 400, body: { __type: 'QueueDeletedRecently', message: 'wait 60 s' } });
      expect(await rejection(api.createQueue('q', {}))).toMatchObject({
        name: 'SqsRequestError',
        sqsCode: 'QueueDeletedRecently',
        transient: true,
      });
      expect(requests).toHaveLength(1);
    });
  });

  describe('queueAttributes', () => {
    it('gives the attributes asked for', async () => {
      const { api, requests } = setUp({ body: { Attributes: { QueueArn: 'arn:aws:sqs:eu-west-1:1:q' } } }, { body: {} });
      expect(await api.queueAttributes(QUEUE, ['QueueArn'])).toEqual({ QueueArn: 'arn:aws:sqs:eu-west-1:1:q' });
      expect(requests[0]?.input).toEqual({ QueueUrl: QUEUE, AttributeNames: ['QueueArn'] });
      expect(await rejection(api.queueAttributes(QUEUE, ['QueueArn']))).toMatchObject({ sqsCode: 'UnreadableAnswer', transient: true });
    });
  });

  describe("an answer that is not SQS's", () => {
    const html = { body: '<html>proxy</html>', headers: { 'content-type': 'text/html' } };

    it.each<[string, SdkAnswer]>([
      ...[200, 302, 307, 400, 401, 403, 404, 407, 413, 421, 425, 499].map((status): [string, SdkAnswer] => [
        `an HTML ${status}`,
        { status, ...html },
      ]),
      ['an empty 403', { status: 403, body: '' }],
      ['an empty 408', { status: 408, body: '' }],
      ['an empty 204', { status: 204, body: '' }],
      ["a gateway's JSON", { status: 403, body: { message: 'Forbidden' } }],
      ['JSON with a code', { status: 400, body: { code: 'E_PROXY' } }],
      ['half of an answer', { body: '{"Succ' }],
    ])('%s says nothing of a send: it is worth another try', async (_what, answer) => {
      const sent = setUp(answer).api.sendMessages(QUEUE, [{ body: 'a' }]);
      const outcome = await sent.then(
        ([entry]) => entry,
        (error: unknown) => error,
      );
      expect(outcome).toMatchObject({ transient: true });
    });

    it.each<[string, SdkAnswer]>([
      ['an HTML 404', { status: 404, ...html }],
      ['an empty 200', { body: '' }],
      ['a JSON 200', { body: {} }],
    ])('%s does not make a queue missing', async (_what, answer) => {
      expect(await rejection(setUp(answer).api.findQueueUrl('q'))).toMatchObject({ name: 'SqsRequestError', transient: true });
    });

    it('differs from a refusal, and its text is left out', async () => {
      const error = await rejection(setUp({ status: 403, ...html }).api.sendMessages(QUEUE, [{ body: 'a' }]));
      expect(error).toMatchObject({
        sqsCode: 'Http403',
        message: 'SQS SendMessageBatch failed: Http403 (HTTP status 403, not from SQS: from a proxy, or where credentials come from)',
      });
      expect(inspect(error, { depth: 10 })).not.toContain('html');
    });
  });

  describe('a refusal of SQS', () => {
    it.each<[string, SdkAnswer]>([
      ['__type', { status: 403, body: { __type: 'com.amazon.coral.service#AccessDeniedException', message: 'no' } }],
      ['the header of the older protocol', { status: 403, body: {}, queryError: 'AccessDeniedException' }],
    ])('counts as definite by its code, in %s', async (_where, answer) => {
      const error = await rejection(setUp(answer).api.sendMessages(QUEUE, [{ body: 'a' }]));
      expect(error).toMatchObject({ sqsCode: 'AccessDeniedException', transient: false });
    });

    it('keeps no text of AWS, which quotes the session token where a signature is wrong', async () => {
      const body = {
        __type: 'com.amazonaws.sqs#InvalidSignatureException',
        message: 'The Canonical String should have been x-amz-security-token:SECRET-TOKEN',
      };
      const headers = { 'x-amzn-requestid': 'request-7' };
      const error = await rejection(setUp({ status: 403, body, headers }).api.sendMessages(QUEUE, [{ body: 'a' }]));
      expect(error).toMatchObject({ cause: { message: 'InvalidSignatureException, HTTP status 403, request id request-7' } });
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('SECRET-TOKEN');
    });
  });

  describe('failures of a whole request', () => {
    const calls: [string, (api: SqsApi) => Promise<unknown>][] = [
      ['SendMessageBatch', (api) => api.sendMessages(QUEUE, [{ body: 'a' }])],
      ['ReceiveMessage', (api) => api.receiveMessages(QUEUE, { maxMessages: 1, waitTimeSeconds: 0 })],
      ['DeleteMessageBatch', (api) => api.deleteMessages(QUEUE, ['r'])],
      ['ChangeMessageVisibilityBatch', (api) => api.changeVisibility(QUEUE, [{ receiptHandle: 'r', timeoutSeconds: 0 }])],
      ['GetQueueAttributes', (api) => api.queueAttributes(QUEUE, ['QueueArn'])],
    ];

    it.each(calls)('%s names a missing queue and its region', async (_operation, call) => {
      const error = await rejection(call(setUp(missing).api));
      expect(error).toBeInstanceOf(QueueNotFoundError);
      expect(error).toMatchObject({ queue: QUEUE, region: 'eu-west-1', cause: { name: 'SqsRefusal', sqsCode: 'QueueDoesNotExist' } });
    });

    it.each(calls)('%s says what failed, and keeps the cause', async (operation, call) => {
      const network = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
      const error = await rejection(call(setUp(network).api));
      expect(error).toBeInstanceOf(SqsRequestError);
      expect(error).toMatchObject({
        message: `SQS ${operation} failed: ECONNREFUSED (connect ECONNREFUSED)`,
        transient: true,
        cause: network,
      });
    });
  });
});

describe('a call that hears nothing of its end, as one that waits for credentials', () => {
  const given = (config: SQSClientConfig) => ({ client: new SQSClient(config) });
  const configured = (clientConfig: SQSClientConfig) => ({ clientConfig });

  afterEach(() => {
    vi.useRealTimers();
  });

  it.each([
    ['its time is up, over the SDK', given, undefined, 'TimeoutError'],
    ['its time is up, by signed requests', configured, undefined, 'TimeoutError'],
    ['its poller stops, over the SDK', given, AbortSignal.abort(), 'AbortError'],
    ['its poller stops, by signed requests', configured, AbortSignal.abort(), 'AbortError'],
  ])('gets given up when %s', async (_when, given, signal, sqsCode) => {
    vi.useFakeTimers();
    const credentials = () => new Promise<never>(() => {});
    const api = sqsApi(openSqs(given({ region: 'eu-west-1', credentials })));
    const receive = rejection(api.receiveMessages(QUEUE, { maxMessages: 10, waitTimeSeconds: 20 }, signal));
    await vi.advanceTimersByTimeAsync(36_000);
    expect(await stateOf(receive)).toBe('fulfilled');
    expect(await receive).toMatchObject({ name: 'SqsRequestError', sqsCode, transient: true });
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('what is missing before anything is sent', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it('credentials: transient, since whoever hands them out may be back in a moment', async () => {
    const credentials = () => Promise.reject(Object.assign(new Error('none'), { name: 'CredentialsProviderError' }));
    const { client, requests } = stubbedClient(() => ({}), { credentials });
    expect(await rejection(sqsApi(openSqs({ client })).sendMessages(QUEUE, [{ body: 'a' }]))).toMatchObject({
      sqsCode: 'CredentialsProviderError',
      transient: true,
    });
    expect(requests).toEqual([]);
  });

  it('a region: a definite failure, named as such', async () => {
    const region = () => Promise.reject(new Error('Region is missing'));
    const { client, requests } = stubbedClient(() => ({}), { region });
    const api = sqsApi(openSqs({ client }));
    expect(await rejection(api.sendMessages(QUEUE, [{ body: 'a' }]))).toMatchObject({
      transient: false,
      cause: { message: 'Region is missing' },
    });
    expect(await api.region()).toBe('(none)');
    expect(requests).toEqual([]);
  });
});

/** Hangs until the SDK's caller gives up, as a request handler does on a connection that died. */
function untilAborted({ abortSignal }: SdkRequest): Promise<SdkAnswer> {
  return new Promise((_resolve, reject) => {
    abortSignal?.addEventListener('abort', () => reject(Object.assign(new Error('Request aborted'), { name: 'AbortError' })));
  });
}
