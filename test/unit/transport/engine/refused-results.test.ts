import { describe, expect, it } from 'vitest';
import type { GivenResult } from '../../../../src/transport/engine/given.ts';
import { RefusedResults } from '../../../../src/transport/engine/refused-results.ts';
import type { StepResult } from '../../../../src/wire/step-result.ts';

const REJECTION = Object.assign(new Error('refused: card 4111'), { code: '22P05' });

/** Results that the engine rejects; what it is given next is answered as a test says. */
function setUp() {
  const clock = { now: 1_000_000 };
  const refused = new RefusedResults(() => clock.now);
  const tried: StepResult[] = [];
  const engine: { answer: (result: StepResult, given: GivenResult) => void } = {
    answer: ({ status }, given) => {
      if (status === 'completed') throw REJECTION;
      given.recorded = true;
    },
  };
  const judge = async (receiveCount: number, fields: Partial<StepResult> = {}, recorded = false) => {
    const result: StepResult = { runId: 'run', seq: 0, stepId: 'run:0', status: 'completed', output: 'a\0b', ...fields };
    const given: GivenResult = {
      source: {
        async handler(tryOf) {
          tried.push(tryOf);
          engine.answer(tryOf, given);
        },
        decisionHandler: async () => undefined,
        maxHoldMs: 0,
        closed: false,
      },
      ...{ result, ids: result, sentAt: 0, receiveCount, own: true, recorded, turnEnded: false },
    };
    return refused.judge(given, REJECTION);
  };
  /** Four receives, each rejected. */
  const rejectedBefore = async () => {
    for (const receive of [1, 2, 3, 4]) await expect(judge(receive)).rejects.toBe(REJECTION);
  };
  return { clock, refused, tried, engine, judge, rejectedBefore };
}

describe('RefusedResults', () => {
  it('fails a step whose result is rejected for the fifth time, where the engine has written something since', async () => {
    const { refused, tried, judge, rejectedBefore } = setUp();
    await rejectedBefore();
    expect(tried).toEqual([]);
    refused.writes += 1;
    const error = await judge(5, { startedAt: 7 });
    expect(error).toMatchObject({ name: 'ResultRefusedError', runId: 'run', stepId: 'run:0' });
    expect(tried.map(({ status }) => status)).toEqual(['completed', 'failed']);
    expect(tried[1]).toEqual({
      ...{ runId: 'run', seq: 0, stepId: 'run:0', status: 'failed', startedAt: 7 },
      error: { message: error?.message, code: 'result_refused', retryable: false },
    });
    expect(error?.message).toContain('(22P05)');
    expect(JSON.stringify(error?.message)).not.toContain('4111');
  });

  it('quotes no code that is free text', async () => {
    const { refused, judge, rejectedBefore } = setUp();
    await rejectedBefore();
    refused.writes += 1;
    Object.assign(REJECTION, { code: 'card 4111' });
    expect((await judge(5))?.message).not.toContain('4111');
    Object.assign(REJECTION, { code: '22P05' });
  });

  it('judges nothing that this process has not seen rejected before', async () => {
    const { refused, tried, judge } = setUp();
    refused.writes += 1;
    await expect(judge(50)).rejects.toBe(REJECTION);
    expect(tried).toEqual([]);
    refused.writes += 1;
    expect(await judge(51)).toBeDefined();
  });

  it('judges one result a minute where the engine has written nothing else', async () => {
    const { clock, judge, tried } = setUp();
    for (const stepId of ['a', 'b', 'c']) for (const receive of [1, 2, 3, 4]) await judge(receive, { stepId }).catch(() => undefined);
    const judged = async () => {
      tried.splice(0);
      for (const stepId of ['a', 'b', 'c']) await judge(5, { stepId }).catch(() => undefined);
      return tried.filter(({ status }) => status === 'failed').length;
    };
    expect(await judged()).toBe(1);
    clock.now += 59_999;
    expect(await judged()).toBe(0);
    clock.now += 1;
    expect(await judged()).toBe(1);
  });

  it('gives the engine the result once more first', async () => {
    const { refused, tried, engine, judge, rejectedBefore } = setUp();
    await rejectedBefore();
    refused.writes += 1;
    engine.answer = () => undefined;
    expect(await judge(5)).toBeUndefined();
    expect(tried).toHaveLength(1);
  });

  it('gives the log lines up before the step', async () => {
    const { refused, tried, engine, judge, rejectedBefore } = setUp();
    await rejectedBefore();
    refused.writes += 1;
    engine.answer = ({ events }) => {
      if (events !== undefined) throw REJECTION;
    };
    expect(await judge(5, { events: [{ at: 1, level: 'info', message: 'a\0b' }] })).toBeUndefined();
    expect(tried.map(({ events }) => events?.length)).toEqual([1, undefined]);
    expect(tried[1]).toMatchObject({ status: 'completed', output: 'a\0b' });
  });

  it('leaves a result that the store takes nothing of', async () => {
    const { refused, engine, judge, rejectedBefore } = setUp();
    await rejectedBefore();
    refused.writes += 1;
    engine.answer = () => {
      throw new Error('read-only');
    };
    await expect(judge(5)).rejects.toBe(REJECTION);
  });

  it('leaves a result that is recorded: the turn after it failed', async () => {
    const { refused, tried, engine, judge, rejectedBefore } = setUp();
    await rejectedBefore();
    refused.writes += 1;
    await expect(judge(5, {}, true)).rejects.toBe(REJECTION);
    expect(tried).toEqual([]);
    engine.answer = (_result, given) => {
      given.recorded = true;
      throw REJECTION;
    };
    refused.writes += 1;
    await expect(judge(6)).rejects.toBe(REJECTION);
    expect(tried.map(({ status }) => status)).toEqual(['completed']);
  });

  it('fails no step where the engine drops the failure: another instance has had a copy of the result', async () => {
    const { refused, engine, judge, rejectedBefore } = setUp();
    await rejectedBefore();
    refused.writes += 1;
    engine.answer = ({ status }) => {
      if (status === 'completed') throw REJECTION;
    };
    await expect(judge(5)).rejects.toBe(REJECTION);
  });

  it('remembers five thousand rejected results', async () => {
    const { refused, judge } = setUp();
    for (let index = 0; index <= 5_000; index += 1) await judge(4, { stepId: `step-${index}` }).catch(() => undefined);
    refused.writes += 1;
    await expect(judge(5, { stepId: 'step-0' })).rejects.toBe(REJECTION);
    expect(await judge(5, { stepId: 'step-5000' })).toBeDefined();
  });
});
