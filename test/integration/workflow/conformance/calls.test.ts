import { DURABLE_STEP_NAME, type StepRef } from '@dudousxd/nestjs-durable-core';
import { describe, expect, it, vi } from 'vitest';
import { commandsOf, conformance } from './cases.ts';

const harness = conformance();

describe('workflow-context: localStep', () => {
  it('runs the body once, records a recordStep command with the output, and replays it', async () => {
    const body = vi.fn(() => 42);
    const ended = await harness().run(async (ctx) => {
      const value = await ctx.localStep('count', body);
      await ctx.step('test.double', 1);
      return value;
    });
    expect(ended).toMatchObject({ status: 'completed', output: 42 });
    expect(ended.decisions).toHaveLength(2);
    expect(body).toHaveBeenCalledTimes(1);
    const times = { startedAt: expect.any(Number), finishedAt: expect.any(Number) };
    expect(commandsOf(ended)[0]).toEqual({ kind: 'recordStep', seq: 0, name: 'count', output: 42, ...times });
  });

  it('records a failed recordStep, throws StepFailed, and throws it again on replay', async () => {
    const caught: unknown[] = [];
    const body = vi.fn(() => {
      throw new Error('kaboom');
    });
    const ended = await harness().run(async (ctx) => {
      await ctx.localStep('boom', body).catch((error: Error) => caught.push(`${error.name}: ${error.message}`));
      return ctx.step('test.double', 1);
    });
    expect(ended).toMatchObject({ status: 'completed', output: 2 });
    expect(caught).toEqual(['StepFailed: kaboom', 'StepFailed: kaboom']);
    expect(body).toHaveBeenCalledTimes(1);
    expect(commandsOf(ended)[0]).toMatchObject({ kind: 'recordStep', name: 'boom', error: { message: 'kaboom' } });
  });

  it('records the events of the body', async () => {
    const ended = await harness().run((ctx) =>
      ctx.localStep('s', (log) => {
        log.info('hello');
        log.sub('proc-a', 'ok');
      }),
    );
    expect(commandsOf(ended)).toMatchObject([{ kind: 'recordStep', events: [{ message: 'hello' }, { name: 'proc-a', status: 'ok' }] }]);
  });
});

describe('workflow-context: step', () => {
  it('takes a name, emits a call command without a partition, suspends, and returns the recorded result', async () => {
    const ended = await harness().run((ctx) => ctx.step('test.double', 4));
    expect(ended).toMatchObject({ status: 'completed', output: 8 });
    expect(ended.decisions.map(({ status }) => status)).toEqual(['continue', 'completed']);
    expect(commandsOf(ended)).toEqual([{ kind: 'call', seq: 0, name: 'test.double', group: '', input: 4 }]);
  });

  it('takes the reference of a step, by its name', async () => {
    const double: StepRef<number, number> = Object.assign((input: number) => input, { [DURABLE_STEP_NAME]: 'test.double' });
    expect(await harness().run((ctx) => ctx.step(double, 5))).toMatchObject({ status: 'completed', output: 10 });
  });

  it('throws a clear error for a reference that is no step', async () => {
    const ended = await harness().run((ctx) => ctx.step((_input: unknown) => 1, {}));
    expect(ended).toMatchObject({ status: 'failed', error: { message: expect.stringContaining('not a @Step reference') } });
    expect(commandsOf(ended)).toEqual([]);
  });
});

describe('workflow-context: sleep', () => {
  it.each([
    ['a duration', '1s', 1_000],
    ['milliseconds', 20, 20],
  ])('takes %s, emits a sleep command, suspends, and does nothing on replay', async (_what, duration, ms) => {
    const ended = await harness().run(async (ctx) => {
      await ctx.sleep(duration);
      return ctx.step('test.double', 1);
    });
    expect(ended).toMatchObject({ status: 'completed', output: 2 });
    expect(commandsOf(ended).filter(({ kind }) => kind === 'sleep')).toEqual([{ kind: 'sleep', seq: 0, ms }]);
  });
});

describe('workflow-context: waitForSignal', () => {
  it('emits a waitSignal command, suspends, and returns the payload, on replay too', async () => {
    const { cloud, start } = harness();
    const runId = await start(async (ctx) => {
      const payload = await ctx.waitForSignal<string>('approve-1');
      await ctx.step('test.double', 1);
      return payload;
    });
    await vi.waitFor(() => expect(cloud.decisions.some((decision) => decision.runId === runId)).toBe(true));
    await cloud.engine.signal('approve-1', { by: 'davi' });
    const ended = await cloud.ended(runId);
    expect(ended).toMatchObject({ status: 'completed', output: { by: 'davi' } });
    expect(commandsOf(ended)[0]).toEqual({ kind: 'waitSignal', seq: 0, signal: 'approve-1' });
  });

  it('consumes a signal that came before it', async () => {
    const { cloud, run } = harness();
    await cloud.engine.signal('approve-2', 'early');
    expect(await run((ctx) => ctx.waitForSignal('approve-2'))).toMatchObject({ status: 'completed', output: 'early' });
  });

  it('refuses a time limit, which consumes no position', async () => {
    const { cloud, run } = harness();
    await cloud.engine.signal('approve-3', 'early');
    const ended = await run(async (ctx) => {
      await ctx.waitForSignal('approve-3', { timeoutMs: 1 }).catch((error: Error) => expect(error.message).toContain('timeoutMs'));
      return ctx.waitForSignal('approve-3');
    });
    expect(ended).toMatchObject({ status: 'completed', output: 'early' });
    expect(commandsOf(ended)[0]).toEqual({ kind: 'waitSignal', seq: 0, signal: 'approve-3' });
  });
});

describe('workflow-context: child', () => {
  it('emits a startChild command, suspends, and returns the recorded output', async () => {
    const ended = await harness().run((ctx) => ctx.child('child', 4));
    expect(ended).toMatchObject({ status: 'completed', output: 8 });
    expect(commandsOf(ended)).toEqual([{ kind: 'startChild', seq: 0, workflow: 'child', input: 4 }]);
  });
});

describe('workflow-context: what is recorded once', () => {
  it('now() records the time and replays it', async () => {
    const seen: number[] = [];
    const ended = await harness().run(async (ctx) => {
      seen.push(await ctx.now());
      return ctx.step('test.double', 1);
    });
    expect(ended.status).toBe('completed');
    expect(seen).toHaveLength(2);
    expect(new Set(seen).size).toBe(1);
    expect(commandsOf(ended)[0]).toMatchObject({ kind: 'recordStep', name: 'now', output: seen[0] });
  });

  it('sideEffect() runs its function once and replays the value', async () => {
    const made = vi.fn(() => `id-${made.mock.calls.length}`);
    const ended = await harness().run(async (ctx) => {
      const id = await ctx.sideEffect(made);
      await ctx.step('test.double', 1);
      return id;
    });
    expect(ended).toMatchObject({ status: 'completed', output: 'id-1' });
    expect(made).toHaveBeenCalledTimes(1);
    expect(commandsOf(ended)[0]).toMatchObject({ kind: 'recordStep', name: 'sideEffect', output: 'id-1' });
  });
});

describe('workflow-context: replayEntry', () => {
  it('gives the entry of a failure without throwing, nothing where there is none, and throws for another kind', async () => {
    const ended = await harness().run(async (ctx) => {
      await ctx.step('test.decline', null).catch((error: Error) => {
        if (error.name === 'Suspend') throw error;
      });
      const read = [ctx.replayEntry(0, 'call', 'test.decline')?.error?.message, ctx.replayEntry(1, 'call')];
      expect(() => ctx.replayEntry(0, 'timer')).toThrow('non-determinism');
      return read;
    });
    expect(ended).toMatchObject({ status: 'completed', output: ['boom', null] });
  });
});
