import { DURABLE_STEP_CONFIG, DURABLE_STEP_NAME, FatalError, type StepRef, type WorkflowCtx } from '@dudousxd/nestjs-durable-core';
import { describe, expect, it } from 'vitest';
import { deferred } from '../../support/deferred.ts';
import { turn, type Workflow } from '../../support/turns.ts';

const chargeCard: StepRef<number, string> = Object.assign((amount: number) => `charge of ${amount}`, {
  [DURABLE_STEP_NAME]: 'payments.charge-card',
});

/** The failure of the only decision that a workflow comes to. */
async function refusalOf(workflow: Workflow) {
  const { decisions } = await turn({}, workflow);
  expect(decisions).toMatchObject([{ status: 'failed', commands: [], error: { code: 'unsupported_in_workflow' } }]);
  return decisions[0]?.error?.message;
}

const END = "this workflow in the engine's process.";

describe('ctx.step', () => {
  it.each([
    [
      { retries: 3, backoffMs: 10 },
      'retries, backoffMs',
      'it. Catch the failure and call the step again, after ctx.sleep where it has to wait. Or run',
    ],
    [{ timeoutMs: 1_000 }, 'timeoutMs', "Set the timeout of the step's function"],
    [{ compensate: 'payments.refund' }, 'compensate', 'call the step that undoes this one'],
    [{ queue: 'q', priority: 1, fairnessKey: 'k' }, 'queue, priority, fairnessKey', 'Limit the concurrency'],
    [{ transport: 'other' }, 'transport', 'Run this workflow'],
    [{ requires: ['gpu'] }, 'requires', 'Run this workflow'],
  ])('refuses %j', async (options, named, advice) => {
    const message = await refusalOf((ctx) => Reflect.apply(ctx.step, ctx, ['double', 1, options]));
    expect(message).toContain(`ctx.step("double") with ${named}: `);
    expect(message).toContain(advice);
    expect(message).toContain(END);
  });

  it('takes a step by its reference, and refuses the options that the reference carries', async () => {
    const { decisions } = await turn({}, (ctx, amount) => ctx.step(chargeCard, amount));
    expect(decisions).toMatchObject([{ commands: [{ kind: 'call', name: 'payments.charge-card', input: 2 }] }]);
    const stubborn: StepRef<number, string> = Object.assign(() => '', { ...chargeCard, [DURABLE_STEP_CONFIG]: { retries: 3 } });
    expect(await refusalOf((ctx, amount) => ctx.step(stubborn, amount))).toContain('ctx.step("payments.charge-card") with retries: ');
  });

  it('takes an option that is undefined as one that is not given', async () => {
    const { decisions } = await turn({}, (ctx) => Reflect.apply(ctx.step, ctx, ['double', 1, { retries: undefined }]));
    expect(decisions).toMatchObject([{ status: 'continue' }]);
  });
});

describe('calls of ctx that a worker has no command for', () => {
  const calls: Readonly<Record<string, (ctx: WorkflowCtx) => unknown>> = {
    transaction: (ctx) => ctx.transaction('t', async () => 1),
    callEntity: (ctx) => ctx.callEntity('cart', 'key', 'add'),
    signalEntity: (ctx) => ctx.signalEntity('cart', 'key', 'add'),
    sleepUntil: (ctx) => ctx.sleepUntil(0),
    continueAsNew: (ctx) => ctx.continueAsNew(),
    waitForEvent: (ctx) => ctx.waitForEvent('paid'),
    task: (ctx) => ctx.task('t', async () => undefined),
    startChild: (ctx) => ctx.startChild('other', null),
    breakpoint: (ctx) => ctx.breakpoint(),
    webhook: (ctx) => ctx.webhook(),
    setEvent: (ctx) => ctx.setEvent('progress', 1),
    onUpdate: (ctx) => ctx.onUpdate('address'),
    patched: (ctx) => ctx.patched('id'),
    upsertSearchAttributes: (ctx) => ctx.upsertSearchAttributes({ customer: 'c-1' }),
  };

  it.each(Object.entries(calls))('%s is refused, with what does the same', async (name, call) => {
    const message = await refusalOf((ctx) => call(ctx));
    expect(message).toMatch(/^ctx\.\w+\(\): a workflow on a worker has no way to ask the engine for it\. .+\. Or run /);
    expect(message).toContain(`ctx.${name}()`);
  });

  it('reject their promise, so that a workflow can catch them', async () => {
    const { decisions } = await turn({}, (ctx) => ctx.patched('id').catch(() => 'caught'));
    expect(decisions).toMatchObject([{ status: 'completed', output: 'caught' }]);
  });
});

describe('ctx.child', () => {
  it.each([['order-1-shipping'], [{ childId: 'order-1-shipping' }], [{ priority: 5 }]])('refuses %j', async (options) => {
    const named = typeof options === 'string' ? 'childId' : Object.keys(options).join();
    expect(await refusalOf((ctx) => ctx.child('shipping', null, options))).toContain(`ctx.child() with ${named}: `);
  });

  it('starts a child and waits for it', async () => {
    const { decisions } = await turn({}, (ctx) => ctx.child('shipping', { order: 1 }, {}));
    expect(decisions).toMatchObject([
      { status: 'continue', commands: [{ kind: 'startChild', workflow: 'shipping', input: { order: 1 } }] },
    ]);
  });
});

describe('ctx.waitForSignal', () => {
  it('refuses a time limit: the engine would count two positions where the worker counts one', async () => {
    expect(await refusalOf((ctx) => ctx.waitForSignal('paid', { timeoutMs: 5 }))).toContain('ctx.waitForSignal("paid") with timeoutMs: ');
  });
});

describe('ctx.localStep', () => {
  /** A body that fails some times, and counts its calls. */
  function failing(times: number, error = new Error('busy')) {
    const body = async () => {
      body.calls += 1;
      if (body.calls <= times) throw error;
      return body.calls;
    };
    body.calls = 0;
    return body;
  }

  it('runs as often as retries says, at one position', async () => {
    const body = failing(2);
    const { decisions } = await turn({}, (ctx) => ctx.localStep('count', body, { retries: 3 }));
    expect(decisions).toMatchObject([
      { status: 'completed', output: 3, commands: [{ kind: 'recordStep', seq: 0, name: 'count', output: 3 }] },
    ]);
    expect(decisions[0]?.commands).toHaveLength(1);
  });

  it('fails when its retries are used up, and after a FatalError at once', async () => {
    const body = failing(9);
    const { decisions } = await turn({}, (ctx) => ctx.localStep('count', body, { retries: 3 }));
    expect(decisions).toMatchObject([{ status: 'failed', error: { message: 'busy' } }]);
    expect(body.calls).toBe(3);
    const fatal = failing(9, new FatalError('declined'));
    await turn({}, (ctx) => ctx.localStep('count', fatal, { retries: 3 }));
    expect(fatal.calls).toBe(1);
  });

  it.each([
    [{ backoffMs: 20 }, [20, 20]],
    [{ backoffMs: 20, backoff: 'exp' }, [20, 40]],
    [{ backoffMs: 20, backoff: 'exp', backoffMaxMs: 30 }, [20, 30]],
  ] as const)('waits between its tries: %j', async (backoff, [first, second]) => {
    const tries: number[] = [];
    await turn({}, (ctx) =>
      ctx.localStep(
        'count',
        () => {
          tries.push(performance.now());
          throw new Error('busy');
        },
        { retries: 3, ...backoff },
      ),
    );
    const [one = 0, two = 0, three = 0] = tries;
    // A timer may fire a millisecond early.
    expect(two - one).toBeGreaterThanOrEqual(first - 1);
    expect(three - two).toBeGreaterThanOrEqual(second - 1);
  });

  it.each([{ compensate: async () => undefined }, { timeoutMs: 5 }, { requires: ['gpu'] }])('refuses %o', async (options) => {
    expect(await refusalOf((ctx) => ctx.localStep('count', () => 1, options))).toContain(
      `ctx.localStep("count") with ${Object.keys(options).join()}: `,
    );
  });

  it('stops retrying once the turn is stopped, and no other local step begins', async () => {
    const done: string[] = [];
    const ended = deferred<void>();
    const { decisions, reported } = await turn(
      {},
      async (ctx) => {
        await ctx
          .localStep(
            'first',
            () => {
              done.push('first');
              throw new Error('busy');
            },
            { retries: 2, backoffMs: 60_000 },
          )
          .catch(() => done.push('caught'));
        await ctx.localStep('second', () => done.push('second')).catch(() => ended.resolve());
      },
      { remainingMs: 400 },
    );
    expect(decisions).toEqual([]);
    expect(reported).toEqual([{ itemIdentifier: 'message' }]);
    await ended.promise;
    expect(done).toEqual(['first', 'caught']);
  });
});
