import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { QueueNotFoundError, ResultsNotAcceptedError, SqsRequestError } from '../../../src/errors.ts';
import { sqsStepHandler } from '../../../src/lambda/index.ts';
import type { StepContext } from '../../../src/step/step-context.ts';
import { MAX_MESSAGE_BYTES } from '../../../src/wire/limits.ts';
import { encodeStepResult, type StepResult } from '../../../src/wire/step-result.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { deferred, stateOf } from '../../support/deferred.ts';
import { FakeQueues, failedIds, invoke } from '../../support/fake-queues.ts';
import { settle } from '../../support/fake-timing.ts';
import { contextOf, eventOf, eventOfInputs, recordOf, taskFor } from '../../support/sqs-records.ts';

const outage = () => new SqsRequestError('SendMessageBatch', 'ServiceUnavailable', true);
const denied = () => new SqsRequestError('SendMessageBatch', 'AccessDenied', false);
const refused = () => new SqsRequestError('SendMessageBatch', 'InvalidMessageContents', false);

/** A handler whose steps wait until they are let go, by `seq`; their input is a name. */
function heldSteps(concurrency: number) {
  const started: string[] = [];
  const held = new Map<string, () => void>();
  const logger = capturingLogger();
  const handler = sqsStepHandler(
    'step',
    async (name: string) => {
      started.push(name);
      const { promise, resolve } = deferred<void>();
      held.set(name, () => resolve());
      await promise;
      return name;
    },
    { concurrency, logger },
  );
  const finish = async (name: string) => {
    await settle();
    held.get(name)?.();
    await settle();
  };
  return { handler, started, finish, logger };
}

describe('a result', () => {
  it('counts as done once SQS has accepted it: the invocation waits for that', async () => {
    const accept = deferred<void>();
    const invocation = invoke(
      sqsStepHandler('step', () => 1, { logger: capturingLogger() }),
      eventOfInputs([1]),
      new FakeQueues(() => accept.promise),
    );
    await settle();
    expect(await stateOf(invocation)).toBe('pending');
    accept.resolve();
    expect(await invocation).toEqual({ batchItemFailures: [] });
  });

  it('leaves its record to be redelivered if no retry gets it accepted, and only that record', async () => {
    const queues = new FakeQueues(({ seq }) => {
      if (seq === 1) throw outage();
    });
    const logger = capturingLogger();
    const handler = sqsStepHandler('step', () => 1, { logger });
    expect(failedIds(await invoke(handler, eventOfInputs(['a', 'b', 'c']), queues))).toEqual(['message-1']);
    expect(queues.accepted.map(({ seq }) => seq)).toEqual([0, 2]);
    expect(logger.lines.filter(({ level }) => level === 'error')).toMatchObject([
      {
        message: 'result not accepted by SQS; its task will be redelivered',
        fields: {
          step: 'step',
          runId: 'run',
          stepId: 'run:1',
          messageId: 'message-1',
          errorName: 'SqsRequestError',
          errorCode: 'sqs_request',
          reason: 'SQS SendMessageBatch failed: ServiceUnavailable',
        },
      },
    ]);
  });

  it('may be refused by something that is no SQS error', async () => {
    const queues = new FakeQueues(({ seq }) => (seq === 0 ? Promise.reject('odd') : undefined));
    expect(
      failedIds(
        await invoke(
          sqsStepHandler('step', () => 1, { logger: capturingLogger() }),
          eventOfInputs([1, 2]),
          queues,
        ),
      ),
    ).toEqual(['message-0']);
  });

  it('has the time that the invocation has left', async () => {
    const queues = new FakeQueues();
    const handler = sqsStepHandler('step', () => 1, { logger: capturingLogger() });
    await invoke(handler, eventOfInputs([1]), queues, contextOf({ getRemainingTimeInMillis: () => 1_234 }));
    await Reflect.apply(invoke, undefined, [handler, eventOfInputs([1]), queues, {}]);
    expect(queues.timesLeftMs).toEqual([1_234, Number.POSITIVE_INFINITY]);
  });
});

describe('when no result of a batch is accepted', () => {
  it.each([
    ['an outage', outage()],
    ['a refusal', refused()],
    ['a missing queue', new QueueNotFoundError('durable-results', 'us-east-1')],
  ])('(%s) the invocation fails, with the cause, so that Lambda slows down', async (_what, cause) => {
    const handler = sqsStepHandler('step', () => 1, { logger: capturingLogger() });
    const invocation = invoke(handler, eventOfInputs([1, 2]), new FakeQueues(() => Promise.reject(cause)));
    await expect(invocation).rejects.toBeInstanceOf(ResultsNotAcceptedError);
    await expect(invocation).rejects.toMatchObject({
      cause,
      message: 'SQS accepted none of the results of 2 record(s); the batch will be delivered again',
    });
  });

  it('it does so with poison in the batch too, and not where one result was accepted', async () => {
    const handler = sqsStepHandler('step', () => 1, { logger: capturingLogger() });
    const poison = recordOf('poison', { messageId: 'poison' });
    const good = recordOf(taskFor({ seq: 1 }));
    const bad = recordOf(taskFor({ seq: 2 }));
    const refuseSecond = ({ seq }: StepResult) => (seq === 2 ? Promise.reject(outage()) : undefined);
    await expect(invoke(handler, eventOf(poison, bad), new FakeQueues(refuseSecond))).rejects.toBeInstanceOf(ResultsNotAcceptedError);
    expect(failedIds(await invoke(handler, eventOf(poison, bad, good), new FakeQueues(refuseSecond)))).toEqual(['poison', 'message-2']);
  });
});

describe('while results are not being accepted', () => {
  it('no further step starts; with nothing in work the rest is given back', async () => {
    const { handler, started, finish, logger } = heldSteps(1);
    const invocation = invoke(handler, eventOfInputs(['a', 'b', 'c']), new FakeQueues(() => Promise.reject(outage())));
    const rejected = expect(invocation).rejects.toBeInstanceOf(ResultsNotAcceptedError);
    await finish('a');
    await rejected;
    expect(started).toEqual(['a']);
    expect(logger.lines).toContainEqual({
      level: 'warn',
      message: 'records not started: results are not being accepted',
      fields: { records: 2, requestId: 'request' },
    });
  });

  it('further steps wait for those in work; a send that succeeds lets them start', async () => {
    const { handler, started, finish } = heldSteps(2);
    const queues = new FakeQueues(({ output }) => (output === 'a' ? Promise.reject(outage()) : undefined));
    const invocation = invoke(handler, eventOfInputs(['a', 'b', 'c', 'd']), queues);
    await settle();
    expect(started).toEqual(['a', 'b']);
    await finish('a');
    expect(started).toEqual(['a', 'b']);
    await finish('b');
    expect(started).toEqual(['a', 'b', 'c', 'd']);
    await finish('c');
    await finish('d');
    expect(failedIds(await invocation)).toEqual(['message-0']);
  });

  it('a second failure closes the gate again', async () => {
    const { handler, started, finish } = heldSteps(2);
    const queues = new FakeQueues(({ output }) => (output === 'b' ? undefined : Promise.reject(denied())));
    const invocation = invoke(handler, eventOfInputs(['a', 'b', 'c', 'd', 'e', 'f']), queues);
    await settle();
    await finish('a');
    await finish('b');
    expect(started).toEqual(['a', 'b', 'c', 'd']);
    await finish('c');
    await finish('d');
    expect(started).toEqual(['a', 'b', 'c', 'd']);
    expect(failedIds(await invocation)).toEqual(['message-0', 'message-2', 'message-3', 'message-4', 'message-5']);
  });

  it('every lane waits for the last step in work, and goes on with it', async () => {
    const { handler, started, finish } = heldSteps(3);
    const queues = new FakeQueues(({ output }) => (output === 'a' || output === 'b' ? Promise.reject(outage()) : undefined));
    const invocation = invoke(handler, eventOfInputs(['a', 'b', 'c', 'd', 'e', 'f', 'g']), queues);
    for (const name of ['a', 'b']) await finish(name);
    expect(started).toEqual(['a', 'b', 'c']);
    await finish('c');
    expect(started).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    for (const name of ['d', 'e', 'f', 'g']) await finish(name);
    expect(failedIds(await invocation)).toEqual(['message-0', 'message-1']);
  });

  it('what was refused for its own contents does not hold the others back', async () => {
    const { handler, started, finish } = heldSteps(1);
    const queues = new FakeQueues(({ output }) => (output === 'a' ? Promise.reject(refused()) : undefined));
    const invocation = invoke(handler, eventOfInputs(['a', 'b']), queues);
    await finish('a');
    expect(started).toEqual(['a', 'b']);
    await finish('b');
    expect(failedIds(await invocation)).toEqual(['message-0']);
  });

  it('a new invocation tries again', async () => {
    let down = true;
    const queues = new FakeQueues(() => (down ? Promise.reject(outage()) : undefined));
    const handler = sqsStepHandler('step', () => 1, { logger: capturingLogger() });
    await expect(invoke(handler, eventOfInputs([1, 2]), queues)).rejects.toThrow();
    down = false;
    expect(failedIds(await invoke(handler, eventOfInputs([1, 2]), queues))).toEqual([]);
  });
});

describe('a results queue that takes less than SQS does', () => {
  /** As AWS answers: by entry as a rule, by request where the whole is too long. */
  const tooLong = [
    new SqsRequestError('SendMessageBatch', 'InvalidParameterValue', false),
    new SqsRequestError('SendMessageBatch', 'InvalidParameterValueException', false),
    new SqsRequestError('SendMessageBatch', 'BatchRequestTooLong', false),
  ];
  const upTo = (maxBytes: number, error = tooLong[0]) =>
    new FakeQueues((result) => (Buffer.byteLength(encodeStepResult(result)) > maxBytes ? Promise.reject(error) : undefined));
  const outputs: Record<string, unknown> = { small: 1, large: 'x'.repeat(300_000), medium: 'x'.repeat(100_000) };

  function sizedSteps() {
    const ran: string[] = [];
    const logger = capturingLogger();
    const run = (name: string, step: StepContext) => {
      ran.push(name);
      if (name === 'fails') throw Object.assign(new Error('x'.repeat(300_000)), { code: 'E_LONG', retryable: true });
      if (name === 'chatty') step.info('x'.repeat(300_000));
      return outputs[name] ?? name;
    };
    return { handler: sqsStepHandler('step', run, { logger, concurrency: 1 }), ran, logger };
  }

  it.each(tooLong)('fails the step that gave too much, once, and holds nothing else back (%s)', async (error) => {
    const { handler, ran, logger } = sizedSteps();
    const queues = upTo(262_144, error);
    expect(failedIds(await invoke(handler, eventOfInputs(['small', 'large', 'medium']), queues))).toEqual([]);
    expect(ran).toEqual(['small', 'large', 'medium']);
    expect(queues.accepted).toMatchObject([
      { status: 'completed' },
      { status: 'failed', error: { code: 'result_too_large', retryable: false } },
      { status: 'completed' },
    ]);
    expect(logger.lines).toContainEqual({
      level: 'warn',
      message: 'result too large for the results queue; sent without what did not fit',
      fields: expect.objectContaining({ runId: 'run', stepId: 'run:1', sqsCode: error.sqsCode, dropped: 'output' }),
    });
  });

  it('keeps the output of a step that only logged too much, and code and retryable of one that failed', async () => {
    const { handler } = sizedSteps();
    const queues = upTo(262_144);
    await invoke(handler, eventOfInputs(['chatty', 'fails']), queues);
    expect(queues.accepted).toMatchObject([
      { status: 'completed', output: 'chatty' },
      { status: 'failed', error: { code: 'E_LONG', retryable: true } },
    ]);
    expect(queues.accepted[0]).not.toHaveProperty('events');
  });

  it('may take as little as a queue can be set to', async () => {
    const { handler } = sizedSteps();
    const queues = upTo(1_024);
    expect(failedIds(await invoke(handler, eventOfInputs(['medium', 'large']), queues))).toEqual([]);
    expect(queues.accepted.map(({ error }) => error?.code)).toEqual(['result_too_large', 'result_too_large']);
  });

  it('explains no refusal of a small result by the same code, or of a large one by another', async () => {
    const { handler } = sizedSteps();
    for (const [input, error] of [
      ['small', tooLong[0]],
      ['large', denied()],
      ['large', outage()],
    ] as const) {
      let tries = 0;
      const queues = new FakeQueues(() => {
        tries += 1;
        throw error;
      });
      await expect(invoke(handler, eventOfInputs([input]), queues)).rejects.toMatchObject({ cause: error });
      expect(tries).toBe(1);
    }
  });

  it('gets the result of the step at the next delivery if it is away when the smaller one is sent', async () => {
    const { handler, ran } = sizedSteps();
    const queues = new FakeQueues(({ status }) => Promise.reject(status === 'completed' ? tooLong[0] : outage()));
    await expect(invoke(handler, eventOfInputs(['large']), queues)).rejects.toMatchObject({ cause: outage() });
    const later = upTo(MAX_MESSAGE_BYTES);
    expect(failedIds(await invoke(handler, eventOfInputs(['large']), later))).toEqual([]);
    expect(later.accepted).toMatchObject([{ status: 'completed' }]);
    expect(ran).toEqual(['large']);
  });
});

describe('concurrency', () => {
  it.each([
    [1, 1],
    [3, 3],
    [20, 6],
  ])('limit %i runs %i of six steps at the same time', async (concurrency, expected) => {
    const { handler, started, finish } = heldSteps(concurrency);
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const invocation = invoke(handler, eventOfInputs(names));
    await settle();
    expect(started).toEqual(names.slice(0, expected));
    for (const [index, name] of names.entries()) {
      await finish(name);
      // One that ends makes room for exactly one.
      expect(started).toEqual(names.slice(0, Math.min(names.length, expected + index + 1)));
    }
    expect(failedIds(await invocation)).toEqual([]);
  });

  it('defaults to 10', async () => {
    const held = deferred<void>();
    let started = 0;
    const handler = sqsStepHandler(
      'step',
      () => {
        started += 1;
        return held.promise;
      },
      { logger: capturingLogger() },
    );
    const invocation = invoke(handler, eventOfInputs(Array.from({ length: 12 }, () => 1)));
    await settle();
    expect(started).toBe(10);
    held.resolve();
    await invocation;
    expect(started).toBe(12);
  });

  it('a slow step keeps no lane of the others', async () => {
    const { handler, started, finish } = heldSteps(2);
    const invocation = invoke(handler, eventOfInputs(['slow', 'b', 'c', 'd']));
    await settle();
    for (const name of ['b', 'c', 'd']) await finish(name);
    expect(started).toEqual(['slow', 'b', 'c', 'd']);
    await finish('slow');
    await invocation;
  });
});

type Kind = 'good' | 'throws' | 'poison' | 'refused' | 'unreachable';
const KINDS_OF_ONE_RECORD = ['good', 'throws', 'poison', 'refused'] as const;

/** Runs a batch of records of these kinds; steps and sends end in an order that `turns` shuffles. */
async function runMix(kinds: readonly Kind[], concurrency: number, turns: readonly number[], throwingLogger: boolean) {
  const wait = async (seq: number) => {
    for (let turn = 0; turn < (turns[seq % turns.length] ?? 0); turn += 1) await Promise.resolve();
  };
  const ran: number[] = [];
  let inWork = 0;
  let most = 0;
  const quiet = capturingLogger();
  const fails = () => {
    throw new Error('the logger fails');
  };
  const handler = sqsStepHandler(
    'step',
    async (kind: Kind, step) => {
      const { seq } = step.task;
      ran.push(seq);
      inWork += 1;
      most = Math.max(most, inWork);
      await wait(seq);
      inWork -= 1;
      if (kind === 'throws') throw new Error(`step ${seq} failed`);
      return seq;
    },
    { concurrency, logger: throwingLogger ? { debug: fails, info: fails, warn: fails, error: fails } : quiet },
  );
  const queues = new FakeQueues(async ({ seq }) => {
    await wait(seq + 1);
    if (kinds[seq] === 'refused') throw refused();
    if (kinds[seq] === 'unreachable') throw outage();
  });
  const records = kinds.map((kind, seq) =>
    kind === 'poison' ? recordOf('{', { messageId: `message-${seq}` }) : recordOf(taskFor({ seq, input: kind })),
  );
  const outcome = await invoke(handler, eventOf(...records), queues).then(failedIds, (error: unknown) => error);
  return { outcome, ran, accepted: queues.accepted, most };
}

const turns = fc.array(fc.nat({ max: 12 }), { minLength: 1, maxLength: 8 });
const concurrency = fc.integer({ min: 1, max: 20 });

describe('one record’s trouble', () => {
  it('never touches another’s', async () => {
    const kinds = fc.array(fc.constantFrom(...KINDS_OF_ONE_RECORD), { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(kinds, concurrency, turns, fc.boolean(), async (mix, lanes, order, throwingLogger) => {
        const { outcome, ran, accepted, most } = await runMix(mix, lanes, order, throwingLogger);
        const seqsOf = (...wanted: Kind[]) => mix.flatMap((kind, seq) => (wanted.includes(kind) ? [seq] : []));
        const again = seqsOf('poison', 'refused');

        if (again.length === mix.length && mix.includes('refused')) expect(outcome).toBeInstanceOf(ResultsNotAcceptedError);
        else expect(outcome).toEqual(again.map((seq) => `message-${seq}`));
        expect(ran.toSorted((a, b) => a - b)).toEqual(seqsOf('good', 'throws', 'refused'));
        expect(accepted.map(({ seq }) => seq).toSorted((a, b) => a - b)).toEqual(seqsOf('good', 'throws'));
        for (const { seq, status, output } of accepted) {
          expect({ status, output }).toEqual(mix[seq] === 'good' ? { status: 'completed', output: seq } : { status: 'failed' });
        }
        expect(most).toBeLessThanOrEqual(lanes);
      }),
      { numRuns: 200 },
    );
  });

  it('differs from an outage, which loses nothing and runs nothing twice', async () => {
    const kinds = fc.array(fc.constantFrom(...KINDS_OF_ONE_RECORD, 'unreachable' as const), { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(kinds, concurrency, turns, fc.boolean(), async (mix, lanes, order, throwingLogger) => {
        const { outcome, ran, accepted } = await runMix(mix, lanes, order, throwingLogger);
        const settled = new Set(accepted.map(({ seq }) => seq));
        const again = mix.flatMap((_kind, seq) => (settled.has(seq) ? [] : [`message-${seq}`]));

        expect(new Set(ran).size).toBe(ran.length);
        expect(settled.size).toBe(accepted.length);
        if (outcome instanceof ResultsNotAcceptedError) expect(settled.size).toBe(0);
        else expect(outcome).toEqual(again);
        // What ran and could be sent is settled: nothing that was worked for is thrown away.
        for (const seq of ran) expect(settled.has(seq)).toBe(mix[seq] === 'good' || mix[seq] === 'throws');
      }),
      { numRuns: 200 },
    );
  });
});
