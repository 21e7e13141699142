import type { StepBody } from '@dudousxd/durable-worker';
import { describe, expect, it, vi } from 'vitest';
import { commandsOf, conformance } from './cases.ts';

const harness = conformance();

const boom: StepBody<unknown> = () => {
  throw new Error('kaboom');
};

describe('workflow-context.gather: gather', () => {
  it('runs each body once, gives the results in order, records one group, and replays it', async () => {
    const bodies = [vi.fn(() => 1), vi.fn(async () => 2), vi.fn(() => 3)] as const;
    const ended = await harness().run(async (ctx) => {
      const values = await ctx.gather([
        ['a', bodies[0]],
        ['b', bodies[1]],
        ['c', bodies[2]],
      ]);
      await ctx.step('test.double', 1);
      return values;
    });
    expect(ended).toMatchObject({ status: 'completed', output: [1, 2, 3] });
    for (const body of bodies) expect(body).toHaveBeenCalledTimes(1);
    const recorded = commandsOf(ended).filter(({ kind }) => kind === 'recordStep');
    expect(recorded.sort((left, right) => left.seq - right.seq)).toMatchObject(
      ['a', 'b', 'c'].map((name, seq) => ({ seq, name, parallelGroup: 'gather:0' })),
    );
  });

  it.each(['waitAll', 'failFast'] as const)('%s throws a GatherReplayError with the failures, and again on replay', async (mode) => {
    const caught: unknown[] = [];
    const ended = await harness().run(async (ctx) => {
      try {
        await ctx.gather(
          [
            ['ok', () => 1],
            ['boom', boom],
          ],
          { mode },
        );
      } catch (error) {
        caught.push({ ...Object(error) });
      }
      return ctx.step('test.double', 1);
    });
    expect(ended.status).toBe('completed');
    const failure = { name: 'GatherReplayError', failures: [{ index: 1, name: 'boom', error: { message: 'kaboom' } }] };
    expect(caught).toMatchObject([failure, failure]);
    // Both are recorded all the same.
    expect(commandsOf(ended).filter(({ kind }) => kind === 'recordStep')).toHaveLength(2);
  });

  it('gives nothing for nothing', async () => {
    const ended = await harness().run((ctx) => ctx.gather([]));
    expect(ended).toMatchObject({ status: 'completed', output: [] });
    expect(commandsOf(ended)).toEqual([]);
  });

  it('takes a single item, with the events of its body', async () => {
    const ended = await harness().run((ctx) =>
      ctx.gather([
        [
          'only',
          (log) => {
            log.info('hi');
            return 'v';
          },
        ],
      ]),
    );
    expect(ended).toMatchObject({ status: 'completed', output: ['v'] });
    const only = { kind: 'recordStep', seq: 0, name: 'only', output: 'v', parallelGroup: 'gather:0', events: [{ message: 'hi' }] };
    expect(commandsOf(ended)).toMatchObject([only]);
  });

  it('fails a run whose history has something else in its place', async () => {
    let deployed = 1;
    const ended = await harness().run(async (ctx) => {
      if (deployed === 1) {
        deployed = 2;
        await ctx.sideEffect(() => 1);
        await ctx.sleep(1);
      }
      return ctx.gather([
        ['sideEffect', () => 1],
        ['b', () => 2],
      ]);
    });
    expect(ended).toMatchObject({ status: 'failed', error: { code: 'nondeterminism' } });
  });
});

describe('workflow-context.gather: all', () => {
  it('starts all children in one turn, as a group, and gives their outputs in order', async () => {
    const ended = await harness().run((ctx) => ctx.all('child', [1, 2, 3]));
    expect(ended).toMatchObject({ status: 'completed', output: [2, 4, 6] });
    const started = [1, 2, 3].map((input, seq) => ({ kind: 'startChild', seq, workflow: 'child', input, parallelGroup: 'gather:0' }));
    expect(ended.decisions[0]).toMatchObject({ status: 'continue', commands: started });
  });

  it('starts only those again that are outstanding', async () => {
    const ended = await harness().run((ctx) => ctx.all('child', [1, 2, 3]));
    const started = ended.decisions.map(({ commands }) => commands.map(({ seq }) => seq));
    expect(started[0]).toEqual([0, 1, 2]);
    for (const [turn, outstanding] of started.entries()) {
      if (turn > 0) expect(started[turn - 1]).toEqual(expect.arrayContaining(outstanding));
    }
    expect(started.at(-1)).toEqual([]);
  });

  it.each(['waitAll', 'failFast'] as const)('%s throws a GatherReplayError that names the child', async (mode) => {
    const ended = await harness().run(async (ctx) => {
      try {
        return await ctx.all('bad child', [1], { mode });
      } catch (error) {
        if (Object(error).name !== 'GatherReplayError') throw error;
        return Object(error).failures;
      }
    });
    expect(ended).toMatchObject({ status: 'completed', output: [{ index: 0, workflow: 'bad child', error: { message: 'boom' } }] });
  });

  it('gives nothing for nothing', async () => {
    const ended = await harness().run((ctx) => ctx.all('child', []));
    expect(ended).toMatchObject({ status: 'completed', output: [] });
    expect(commandsOf(ended)).toEqual([]);
  });

  it('fails a run whose history has something else in its place', async () => {
    let deployed = 1;
    const ended = await harness().run(async (ctx) => {
      if (deployed === 1) {
        deployed = 2;
        await ctx.sleep(1);
      }
      return ctx.all('child', [1]);
    });
    expect(ended).toMatchObject({ status: 'failed', error: { code: 'nondeterminism' } });
  });
});
