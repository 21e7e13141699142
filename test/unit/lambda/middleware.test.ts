import { Logger as Powertools } from '@aws-lambda-powertools/logger';
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { SqsRequestError } from '../../../src/errors.ts';
import { type SqsStepHandler, sqsStepHandler } from '../../../src/lambda/index.ts';
import { lambdaContext } from '../../../src/local/lambda-context.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { deferred } from '../../support/deferred.ts';
import { FakeQueues, failedIds, invoke } from '../../support/fake-queues.ts';
import { settle } from '../../support/fake-timing.ts';
import { contextOf, eventOf, eventOfInputs, recordOf, taskFor } from '../../support/sqs-records.ts';

const ALL = ['message-0', 'message-1', 'message-2'];
const failing = (message: string) => () => {
  throw new Error(message);
};

/** A handler that notes which inputs ran, and throws for the input `'bad'`. */
function noting(options: { concurrency?: number } = {}) {
  const ran: unknown[] = [];
  const logger = capturingLogger();
  const handler = sqsStepHandler(
    'step',
    (input) => {
      ran.push(input);
      if (input === 'bad') throw new Error('bad input');
    },
    { logger, ...options },
  );
  return { handler, ran, logger };
}

async function outcomeOf(handler: SqsStepHandler, event = eventOfInputs(['a', 'bad', 'c']), queues = new FakeQueues()) {
  const response = await invoke(handler, event, queues);
  return { again: failedIds(response), accepted: queues.accepted.map(({ seq }) => seq).toSorted(), response };
}

describe('the handler', () => {
  it('takes two arguments: Lambda refuses handlers that take a callback', () => {
    expect(noting().handler).toHaveLength(2);
  });

  it('gives itself back from use, before, after and onError, with all middlewares in middy’s order', async () => {
    const { handler } = noting();
    const order: string[] = [];
    const note = (name: string) => () => void order.push(name);
    const same = handler
      .use({ before: note('use before'), after: note('use after') })
      .use([{ before: note('first of two') }, { before: note('second of two') }])
      .before(note('before'))
      .after(note('after'))
      .onError(note('onError'));
    expect(same).toBe(handler);
    await outcomeOf(handler);
    expect(order).toEqual(['use before', 'first of two', 'second of two', 'before', 'after', 'use after']);
  });

  it('hands middlewares the event and context of the invocation', async () => {
    const { handler } = noting();
    const seen: unknown[] = [];
    const event = eventOfInputs(['a']);
    const context = contextOf();
    handler.before((request) => void seen.push(request.event, request.context));
    await invoke(handler, event, new FakeQueues(), context);
    expect(seen[0]).toBe(event);
    expect(seen[1]).toBe(context);
  });
});

describe('a middleware that fails after the steps', () => {
  it('makes no settled record come back', async () => {
    const { handler, logger } = noting();
    handler.after(failing('after'));
    expect(await outcomeOf(handler)).toMatchObject({ again: [], accepted: [0, 1, 2] });
    expect(logger.lines).toContainEqual({
      level: 'error',
      message: 'a middleware failed',
      fields: { errorName: 'Error', records: 3, started: 3, requestId: 'request' },
    });
  });

  it('still has those delivered again whose result was not accepted', async () => {
    const { handler } = noting();
    handler.after(failing('after'));
    const queues = new FakeQueues(({ seq }) => (seq === 1 ? Promise.reject(new SqsRequestError('s', 'Down', true)) : undefined));
    expect(await outcomeOf(handler, undefined, queues)).toMatchObject({ again: ['message-1'] });
  });

  it('may throw anything', async () => {
    for (const thrown of [
      undefined,
      null,
      'text',
      Object.create(null),
      {
        get name() {
          throw new Error('trap');
        },
      },
    ]) {
      const { handler } = noting();
      handler.after(() => {
        throw thrown;
      });
      expect(await outcomeOf(handler)).toMatchObject({ again: [], accepted: [0, 1, 2] });
    }
  });

  it('changes nothing of that by failing in onError too', async () => {
    const { handler } = noting();
    handler.after(failing('after')).onError(failing('onError'));
    expect(await outcomeOf(handler)).toMatchObject({ again: [], accepted: [0, 1, 2] });
  });
});

describe('a middleware that replaces the response', () => {
  it.each([
    ['with a success for all', { batchItemFailures: [] }],
    ['with a failure for all', { batchItemFailures: ALL.map((itemIdentifier) => ({ itemIdentifier })) }],
    ['with nothing', undefined],
    ['with something else', { statusCode: 200 }],
  ])('%s is not listened to', async (_what, replacement) => {
    const poison = recordOf('poison', { messageId: 'poison' });
    for (const use of [
      (handler: SqsStepHandler) =>
        handler.after((request) => {
          request.response = replacement;
        }),
      (handler: SqsStepHandler) => handler.after(() => replacement),
      (handler: SqsStepHandler) =>
        handler.after((request) => {
          request.earlyResponse = replacement;
        }),
    ]) {
      const { handler } = noting();
      use(handler);
      expect(await outcomeOf(handler, eventOf(recordOf(taskFor()), poison))).toMatchObject({ again: ['poison'], accepted: [0] });
    }
  });
});

describe('a middleware that answers before the steps', () => {
  it.each([
    ['a value', (handler: SqsStepHandler) => handler.before(() => ({ batchItemFailures: [] }))],
    ['null', (handler: SqsStepHandler) => handler.before(() => null)],
    [
      'earlyResponse',
      (handler: SqsStepHandler) =>
        handler.before((request) => {
          request.earlyResponse = undefined;
        }),
    ],
  ])('has every record redelivered when it answers with %s: none ran', async (_what, use) => {
    const { handler, ran } = noting();
    use(handler);
    expect(await outcomeOf(handler)).toMatchObject({ again: ALL, accepted: [] });
    expect(ran).toEqual([]);
  });
});

describe('an event that is none of SQS’s', () => {
  it.each([
    ['a value', 'warmup'],
    ['an object', { statusCode: 200 }],
    ['nothing, early', undefined],
  ])('gets the answer of a middleware: %s', async (_what, answer) => {
    const { handler, ran } = noting();
    handler.before((request) => {
      if (Reflect.get(request.event, 'source') === 'warm-up') request.earlyResponse = answer;
    });
    expect(await Reflect.apply(handler, undefined, [{ source: 'warm-up' }, contextOf()])).toEqual(answer);
    await expect(Reflect.apply(handler, undefined, [{ source: 'aws.s3' }, contextOf()])).rejects.toMatchObject({
      name: 'InvalidEventError',
    });
    expect(ran).toEqual([]);
  });

  it('may be made one: the bare array of a pipe', async () => {
    const { handler, ran } = noting();
    handler.before((request) => {
      if (Array.isArray(request.event)) request.event = { Records: request.event };
    });
    const { Records } = eventOf(recordOf(taskFor({ input: 'a' })), recordOf('poison', { messageId: 'poison' }));
    const queues = new FakeQueues();
    expect(await Reflect.apply(invoke, undefined, [handler, Records, queues])).toEqual({
      batchItemFailures: [{ itemIdentifier: 'poison' }],
    });
    expect(ran).toEqual(['a']);
    expect(queues.accepted).toHaveLength(1);
  });

  it('fails with the error of the middleware that fails on it', async () => {
    const error = new Error('no such event');
    const { handler, logger } = noting();
    handler.before(() => {
      throw error;
    });
    await expect(Reflect.apply(handler, undefined, [{ source: 'warm-up' }, contextOf()])).rejects.toBe(error);
    expect(logger.lines).toEqual([]);
  });

  it('fails in time where a middleware hangs on it', async () => {
    vi.useFakeTimers();
    const { handler } = noting();
    handler.before(() => new Promise(() => undefined));
    const context = lambdaContext({ functionName: 'f', timeoutMs: 3_000 });
    const failed = expect(Reflect.apply(handler, undefined, [{}, context])).rejects.toMatchObject({ name: 'InvalidEventError' });
    await vi.advanceTimersByTimeAsync(3_000);
    await failed;
    vi.useRealTimers();
  });
});

describe('a middleware that fails before the steps', () => {
  it('fails the invocation with its own error: the cause is common to all, and Lambda slows down', async () => {
    const { handler, ran, logger } = noting();
    const error = new Error('no secrets to be had');
    handler.before(() => {
      throw error;
    });
    await expect(outcomeOf(handler)).rejects.toBe(error);
    expect(ran).toEqual([]);
    expect(logger.lines).toHaveLength(1);
  });

  it('gives way to an onError that answers: every record is redelivered', async () => {
    const { handler, ran } = noting();
    handler.before(failing('before')).onError(() => ({ batchItemFailures: [] }));
    expect(await outcomeOf(handler)).toMatchObject({ again: ALL });
    expect(ran).toEqual([]);
  });
});

describe('an onError that swallows', () => {
  it.each([
    ['by answering', (handler: SqsStepHandler) => handler.onError(() => ({ batchItemFailures: [] }))],
    [
      'by setting a response',
      (handler: SqsStepHandler) =>
        handler.onError((request) => {
          request.response = { batchItemFailures: [] };
        }),
    ],
    ['by failing', (handler: SqsStepHandler) => handler.onError(failing('onError'))],
  ])('%s loses no record and brings none back that is settled', async (_what, use) => {
    const { handler } = noting();
    use(handler.after(failing('after')));
    const event = eventOf(recordOf(taskFor()), recordOf('poison', { messageId: 'poison' }));
    expect(await outcomeOf(handler, event)).toMatchObject({ again: ['poison'], accepted: [0] });
  });
});

describe('a middleware that changes the event', () => {
  it('has records redelivered by removing them', async () => {
    const { handler, ran } = noting();
    handler.before(({ event }) => void event.Records.splice(1, 1));
    expect(await outcomeOf(handler)).toMatchObject({ again: ['message-1'], accepted: [0, 2] });
    expect(ran).toEqual(['a', 'c']);
  });

  it('has all records redelivered by removing all', async () => {
    const { handler } = noting();
    handler.before(({ event }) => void event.Records.splice(0));
    expect(await outcomeOf(handler)).toMatchObject({ again: ALL, accepted: [] });
  });

  it('changes nothing by removing records after the steps', async () => {
    const { handler } = noting();
    handler.after(({ event }) => void event.Records.splice(0, 2));
    expect(await outcomeOf(handler)).toMatchObject({ again: [], accepted: [0, 1, 2] });
  });

  it('has the records of another event run by putting that in its place', async () => {
    const { handler, ran } = noting();
    handler.before((request) => {
      request.event = { Records: request.event.Records.slice(1).map((record) => ({ ...record })) };
    });
    expect(await outcomeOf(handler)).toMatchObject({ again: ['message-0'], accepted: [1, 2] });
    expect(ran).toEqual(['bad', 'c']);
  });

  it('fails the invocation by putting something else in its place: nothing ran', async () => {
    const { handler } = noting();
    handler.before((request) => void Object.assign(request, { event: { detail: {} } }));
    await expect(outcomeOf(handler)).rejects.toMatchObject({ name: 'InvalidEventError' });
  });

  it('changes nothing by dropping it after the steps', async () => {
    const { handler } = noting();
    handler.after((request) => void Object.assign(request, { event: undefined }));
    expect(await outcomeOf(handler)).toMatchObject({ again: [], accepted: [0, 1, 2] });
  });

  it('names no record that SQS does not know, whatever ids it writes', async () => {
    const { handler } = noting();
    handler.before(({ event }) => {
      for (const record of event.Records) record.messageId = `my-${record.messageId}`;
    });
    // Lambda takes an unknown id as the failure of the whole batch; here it is that by name.
    expect(await outcomeOf(handler)).toMatchObject({ again: ALL });
  });

  it('may parse bodies, poison included', async () => {
    const { handler, ran } = noting();
    handler.before(({ event }) => {
      for (const record of event.Records) Object.assign(record, { body: JSON.parse(record.body) });
    });
    const event = eventOf(
      recordOf(taskFor({ input: { a: 1 } })),
      recordOf('7', { messageId: 'number' }),
      recordOf('null', { messageId: 'null' }),
    );
    expect(await outcomeOf(handler, event)).toMatchObject({ again: ['number', 'null'], accepted: [0] });
    expect(ran).toEqual([{ a: 1 }]);
  });

  it.each([undefined, () => 1, Symbol('s'), 1n])('makes poison of one record only by leaving it no body (%s)', async (body) => {
    const { handler } = noting();
    handler.before(({ event }) => void Object.assign(event.Records[0] ?? {}, { body }));
    expect(await outcomeOf(handler)).toMatchObject({ again: ['message-0'], accepted: [1, 2] });
  });
});

describe('Powertools Logger', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('plugs in unchanged, as middleware and as logger', async () => {
    const lines: unknown[] = [];
    const collect = (line: unknown) => void lines.push(typeof line === 'string' ? JSON.parse(line) : line);
    for (const level of ['info', 'warn', 'error', 'log'] as const) vi.spyOn(console, level).mockImplementation(collect);
    vi.stubEnv('POWERTOOLS_DEV', 'true');
    const powertools = new Powertools({ serviceName: 'payments' });
    vi.unstubAllEnvs();
    const handler = sqsStepHandler('step', () => void powertools.info('inside'), { logger: powertools }).use(
      injectLambdaContext(powertools),
    );
    await invoke(handler, eventOfInputs(['a']), new FakeQueues(), contextOf({ awsRequestId: 'request-9' }));
    expect(lines).toMatchObject([
      { message: 'inside', function_request_id: 'request-9', service: 'payments' },
      { message: 'step completed', function_request_id: 'request-9', runId: 'run', stepId: 'run:0' },
    ]);
  });
});

describe('two invocations at once in one process', () => {
  it('stay apart: each answers for its own records, over its own queues', async () => {
    const held = new Map<string, () => void>();
    const handler = sqsStepHandler(
      'step',
      async (name: string) => {
        const { promise, resolve } = deferred<void>();
        held.set(name, () => resolve());
        await promise;
        return name;
      },
      { logger: capturingLogger() },
    );
    // One of the two invocations has an event of its own making, and fails in the end.
    handler
      .before((request) => {
        if (request.context.awsRequestId === 'first') request.event = structuredClone(request.event);
      })
      .after((request) => {
        if (request.context.awsRequestId === 'second') throw new Error('after');
      });
    const firstChannel = new FakeQueues(({ output }) => (output === 'first b' ? Promise.reject(new Error('down')) : undefined));
    const secondChannel = new FakeQueues();
    const eventFor = (name: string) =>
      eventOf(
        ...['a', 'b'].map((id, seq) => recordOf(taskFor({ runId: name, seq, input: `${name} ${id}` }), { messageId: `${name}-${id}` })),
      );
    const first = invoke(handler, eventFor('first'), firstChannel, contextOf({ awsRequestId: 'first' }));
    const second = invoke(handler, eventFor('second'), secondChannel, contextOf({ awsRequestId: 'second' }));
    await settle();
    expect([...held.keys()].toSorted()).toEqual(['first a', 'first b', 'second a', 'second b']);
    for (const name of ['second b', 'first a', 'first b', 'second a']) {
      held.get(name)?.();
      await settle();
    }
    expect(failedIds(await first)).toEqual(['first-b']);
    expect(failedIds(await second)).toEqual([]);
    expect(firstChannel.accepted.map(({ output }) => output)).toEqual(['first a']);
    expect(secondChannel.accepted.map(({ output }) => output)).toEqual(['second b', 'second a']);
  });

  it('an outage of one does not close the gate of the other', async () => {
    const { handler, ran } = noting({ concurrency: 1 });
    const down = new FakeQueues(() => Promise.reject(new SqsRequestError('s', 'Down', true)));
    const [first, second] = await Promise.allSettled([outcomeOf(handler, undefined, down), outcomeOf(handler)]);
    expect(first.status).toBe('rejected');
    expect(second).toMatchObject({ status: 'fulfilled', value: { again: [], accepted: [0, 1, 2] } });
    expect(ran).toHaveLength(4);
  });
});
