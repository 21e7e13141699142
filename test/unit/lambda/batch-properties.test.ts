import type { SQSRecord } from 'aws-lambda';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SqsRequestError } from '../../../src/errors.ts';
import { STEP_HANDLER } from '../../../src/lambda/handler-marks.ts';
import { type SqsStepHandler, sqsStepHandler } from '../../../src/lambda/index.ts';
import { NO_RETRIES, type WorkerQueues } from '../../../src/lambda/worker-queues.ts';
import { lambdaContext } from '../../../src/local/lambda-context.ts';
import type { OutgoingMessage } from '../../../src/sqs/sqs-api.ts';
import { decodeStepResult } from '../../../src/wire/step-result.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { eventOf, recordOf, taskFor } from '../../support/sqs-records.ts';

/**
 * The promise of the batch function, under anything: what Lambda is told names only messages of the batch; each message
 * is consumed or reported, never both; for each that is consumed a result was accepted, and none is reported whose
 * result was; and the answer comes before the kill.
 */

const TIMEOUT_MS = 3_000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const middlewares = {
  none: () => undefined,
  'throws before': (handler: SqsStepHandler) => handler.before(fails),
  'throws after': (handler: SqsStepHandler) => handler.after(fails),
  'answers early': (handler: SqsStepHandler) => handler.before(() => ({ batchItemFailures: [] })),
  'answers for it': (handler: SqsStepHandler) =>
    handler.after((request) => {
      request.response = { batchItemFailures: [{ itemIdentifier: 'unknown' }] };
    }),
  'cuts the event': (handler: SqsStepHandler) => handler.before(({ event }) => void event.Records.splice(0, 2)),
  'turns the event round': (handler: SqsStepHandler) => handler.before(({ event }) => void event.Records.reverse()),
  'doubles the event': (handler: SqsStepHandler) => handler.before(({ event }) => void event.Records.push(...event.Records)),
  'renames records': (handler: SqsStepHandler) =>
    handler.before(({ event }) => {
      for (const record of event.Records) record.messageId = `my-${record.messageId}`;
    }),
  'swaps ids': (handler: SqsStepHandler) =>
    handler.before((request) => {
      request.event = structuredClone(request.event);
    }),
  'is slow before': (handler: SqsStepHandler) => handler.before(() => wait(1_000)),
  'hangs before': (handler: SqsStepHandler) => handler.before(() => new Promise(() => {})),
  'hangs after': (handler: SqsStepHandler) => handler.after(() => new Promise(() => {})),
  'swallows errors': (handler: SqsStepHandler) => handler.after(fails).onError(() => ({ batchItemFailures: [] })),
};

function fails() {
  throw new Error('a middleware');
}

const wait = (ms: number) => new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), ms));

interface Planned {
  readonly kind: 'good' | 'throws' | 'poison' | 'late';
  readonly stepMs: number;
  readonly send: 'accepted' | 'fails' | 'refused' | 'hangs' | 'accepted late' | 'cut';
  readonly sendMs: number;
  readonly group: string;
  /** Comes a second time, as standard queues have it. */
  readonly twice: boolean;
}

const planned: fc.Arbitrary<Planned> = fc.record({
  kind: fc.constantFrom('good', 'good', 'throws', 'poison', 'late'),
  stepMs: fc.constantFrom(0, 1, 50, 900, 2_500, 10_000),
  send: fc.constantFrom('accepted', 'accepted', 'accepted', 'fails', 'refused', 'hangs', 'accepted late', 'cut'),
  sendMs: fc.constantFrom(0, 5, 400),
  group: fc.constantFrom('a', 'b', 'c'),
  twice: fc.constantFrom(false, false, false, true),
});

/** Takes results as planned, and notes when each was accepted. */
function plannedQueues(plans: readonly Planned[]) {
  const accepted: { seq: number; at: number }[] = [];
  const queues: WorkerQueues = {
    url: async () => 'results',
    retries: () => NO_RETRIES,
    async send(_queueUrl, { body }: OutgoingMessage) {
      const { seq } = decodeStepResult(body);
      const { send = 'accepted', sendMs = 0 } = plans[seq] ?? {};
      await wait(sendMs);
      if (send === 'fails') throw new SqsRequestError('s', 'ServiceUnavailable', true);
      if (send === 'refused') throw new SqsRequestError('s', 'InvalidMessageContents', false);
      if (send === 'hangs') await new Promise(() => {});
      if (send === 'accepted late') await wait(5_000);
      accepted.push({ seq, at: Date.now() });
      // SQS has it, and the answer is lost.
      if (send === 'cut') throw new SqsRequestError('s', 'ECONNRESET', true);
    },
    release: async () => 1,
  };
  return { queues, accepted };
}

function recordsFor(plans: readonly Planned[], fifo: boolean): SQSRecord[] {
  return plans.flatMap(({ kind, group, twice }, seq) => {
    const base = kind === 'poison' ? recordOf('{', { messageId: `message-${seq}` }) : recordOf(taskFor({ seq }));
    const attributes = { ...base.attributes, MessageGroupId: group };
    const record = { ...base, eventSourceARN: `${base.eventSourceARN}${fifo ? '.fifo' : ''}`, attributes };
    return twice ? [record, { ...record, receiptHandle: 'second' }] : [record];
  });
}

describe('the batch function', () => {
  it('consumes each message whose result was accepted and reports every other, in time', async () => {
    const scenario = fc.record({
      plans: fc.array(planned, { minLength: 1, maxLength: 14 }),
      middleware: fc.constantFrom(...(Object.keys(middlewares) as (keyof typeof middlewares)[])),
      fifo: fc.boolean(),
      concurrency: fc.integer({ min: 1, max: 12 }),
      onDeadline: fc.constantFrom('fail' as const, 'redeliver' as const),
      deadlineReserveMs: fc.constantFrom(undefined, 300, 1_400, 9_999),
    });
    await fc.assert(
      fc.asyncProperty(scenario, async ({ plans, middleware, fifo, concurrency, onDeadline, deadlineReserveMs }) => {
        const ran: number[] = [];
        const running = new Map<string, number>();
        let together = false;
        const handler = sqsStepHandler(
          'step',
          async (_input: unknown, step) => {
            const { seq } = step.task;
            const { kind, stepMs, group } = plans[seq] ?? { kind: 'good', stepMs: 0, group: '' };
            ran.push(seq);
            running.set(group, (running.get(group) ?? 0) + 1);
            together ||= (running.get(group) ?? 0) > 1;
            step.signal.addEventListener('abort', () => running.set(group, 0));
            await wait(stepMs);
            if (!step.signal.aborted) running.set(group, (running.get(group) ?? 0) - 1);
            if (kind === 'throws') throw new Error('no');
            if (kind === 'late') await new Promise(() => {});
            return seq;
          },
          { logger: capturingLogger(), concurrency, onDeadline, ...(deadlineReserveMs === undefined ? {} : { deadlineReserveMs }) },
        );
        middlewares[middleware](handler);
        const { queues, accepted } = plannedQueues(plans);
        const event = eventOf(...recordsFor(plans, fifo));
        const ids = event.Records.map(({ messageId }) => messageId);
        const startedAt = Date.now();
        let endedAt: number | undefined;
        const context = lambdaContext({ functionName: 'f', timeoutMs: TIMEOUT_MS });
        const outcome = handler[STEP_HANDLER].invoke(event, context, queues).then(
          ({ batchItemFailures }) => batchItemFailures.map(({ itemIdentifier }) => itemIdentifier),
          () => 'failed' as const,
        );
        void outcome.then(() => {
          endedAt = Date.now();
        });
        await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
        expect(endedAt).toBeDefined();
        expect((endedAt ?? Number.NaN) - startedAt).toBeLessThan(TIMEOUT_MS);

        const answer = await outcome;
        const reported = answer === 'failed' ? new Set(ids) : new Set(answer);
        if (answer !== 'failed') {
          expect(answer.length).toBe(reported.size);
          for (const id of answer) expect(ids).toContain(id);
        }
        const acceptedBy = new Set(accepted.filter(({ at }) => at <= (endedAt ?? 0)).map(({ seq }) => `message-${seq}`));
        for (const id of new Set(ids)) if (!reported.has(id)) expect(acceptedBy).toContain(id);
        // Nor is a step run again whose result was accepted, as far as the worker was told so in time.
        if (middleware !== 'renames records') {
          const told = accepted
            .filter(({ seq, at }) => at < (endedAt ?? 0) && plans[seq]?.send !== 'cut')
            .map(({ seq }) => `message-${seq}`);
          for (const id of told) expect(reported).not.toContain(id);
        }
        // A message that came twice ran once, whatever else happened.
        expect(new Set(ran).size).toBe(middleware === 'renames records' ? new Set(ran).size : ran.length);
        if (fifo && middleware !== 'turns the event round') {
          expect(together).toBe(false);
          for (const group of ['a', 'b', 'c']) {
            const order = ran.filter((seq) => plans[seq]?.group === group);
            expect(order).toEqual(order.toSorted((a, b) => a - b));
          }
          if (middleware === 'none') expectNoOvertaking(plans, reported, ran);
        }
        await vi.advanceTimersByTimeAsync(20_000);
      }),
      { numRuns: 1_000 },
    );
  });
});

/** Nothing of a group ran after the first of it that is to be delivered again. */
function expectNoOvertaking(plans: readonly Planned[], reported: ReadonlySet<string>, ran: readonly number[]): void {
  for (const group of ['a', 'b', 'c']) {
    const seqs = plans.flatMap((plan, seq) => (plan.group === group ? [seq] : []));
    const first = seqs.find((seq) => reported.has(`message-${seq}`));
    if (first === undefined) continue;
    for (const seq of seqs.filter((other) => other > first)) {
      expect(reported.has(`message-${seq}`)).toBe(true);
      expect(ran).not.toContain(seq);
    }
  }
}
