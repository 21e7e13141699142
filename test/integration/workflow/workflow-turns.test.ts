import { InMemoryStateStore, isWorkflowControlFlowSignal, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { SqsTransport, sqsStepHandler } from '../../../src/index.ts';
import { createQueues, LocalEventSourceMapping, type LocalSqs } from '../../../src/local/index.ts';
import { sqsWorkflowHandler, type WorkflowContext } from '../../../src/workflow/index.ts';
import { silentLogger } from '../../support/local-cloud.ts';
import { startTestSqs } from '../../support/sqs-server.ts';

const STEPS = ['turns.double', 'turns.decline'];

/** Side effects that were made, not replayed. */
let made = 0;
const make = () => {
  made += 1;
  return made;
};

const workflows = {
  chain: async (ctx: WorkflowContext, input: number) => {
    const first = await ctx.step<number>('turns.double', input);
    return ctx.step<number>('turns.double', first);
  },
  fan: async (ctx: WorkflowContext, inputs: readonly number[]) =>
    Promise.all(inputs.map((input) => ctx.step<number>('turns.double', input))),
  sleeper: async (ctx: WorkflowContext) => {
    const before = await ctx.now();
    await ctx.sleep(20);
    return (await ctx.now()) - before;
  },
  waiter: async (ctx: WorkflowContext) => ctx.waitForSignal<string>('go'),
  parent: async (ctx: WorkflowContext, input: number) => ctx.child<number>('chain', input),
  local: async (ctx: WorkflowContext) => {
    const value = await ctx.sideEffect(make);
    await ctx.step('turns.double', 1);
    return { value, again: await ctx.sideEffect(make) };
  },
  catcher: async (ctx: WorkflowContext) => {
    try {
      return await ctx.step('turns.decline', null);
    } catch (error) {
      if (isWorkflowControlFlowSignal(error)) throw error;
      return { declined: error instanceof Error ? error.message : 'unknown' };
    }
  },
  failing: async (ctx: WorkflowContext) => ctx.step('turns.decline', null),
  retrying: async (ctx: WorkflowContext) => ctx.step('turns.double', 1, { retries: 3 }),
  careless: async (ctx: WorkflowContext) => {
    await ctx.step('turns.double', 1).catch(() => undefined);
    return 'done';
  },
};

describe('workflows whose turns run on Lambda', () => {
  let sqs: LocalSqs;
  let engine: WorkflowEngine;
  let transport: SqsTransport;
  let mappings: LocalEventSourceMapping[] = [];

  beforeAll(async () => {
    sqs = await startTestSqs();
    const { clientConfig } = sqs;
    const names = [...STEPS, ...Object.keys(workflows)];
    const { tasksQueueUrls, resultsQueueUrl } = await createQueues({ clientConfig, steps: names, functionTimeoutSeconds: 10 });
    const options = { clientConfig, resultsQueueUrl, logger: silentLogger };
    const steps = sqsStepHandler(
      {
        'turns.double': async (input: number) => input * 2,
        'turns.decline': async () => {
          throw Object.assign(new Error('declined'), { code: 'card_declined', retryable: false });
        },
      },
      options,
    );
    const turns = sqsWorkflowHandler<Record<string, never>>(
      Object.fromEntries(Object.entries(workflows).map(([name, fn]) => [name, { 1: fn }])),
      options,
    );
    mappings = [...tasksQueueUrls].map(([functionName, queueUrl]) => {
      const handler = STEPS.includes(functionName) ? steps : turns;
      return new LocalEventSourceMapping({ clientConfig, queueUrl, handler, functionName, timeoutMs: 10_000, logger: silentLogger });
    });
    for (const mapping of mappings) mapping.start();
    transport = new SqsTransport({ clientConfig, waitTimeSeconds: 1, logger: silentLogger });
    engine = new WorkflowEngine({ store: new InMemoryStateStore(), transport });
    transport.attach(engine);
    for (const name of Object.keys(workflows)) engine.remote(name, { group: name });
  });

  afterAll(async () => {
    await engine.drain();
    await Promise.all([transport.close(), ...mappings.map((mapping) => mapping.stop())]);
    await sqs.stop();
  });

  async function ended(name: keyof typeof workflows, input: unknown, runId = `${name}-1`) {
    await engine.start(name, input, runId);
    return vi.waitFor(
      async () => {
        await engine.resumeDueTimers();
        const run = await engine.getRun(runId);
        expect(['completed', 'failed']).toContain(run?.status);
        return { status: run?.status, output: run?.output, error: run?.error };
      },
      { timeout: 15_000, interval: 20 },
    );
  }

  it('runs a chain of steps', async () => {
    expect(await ended('chain', 3)).toMatchObject({ status: 'completed', output: 12 });
  });

  it('runs a fan-out and gives the outputs in order', async () => {
    expect(await ended('fan', [1, 2, 3, 4, 5])).toMatchObject({ status: 'completed', output: [2, 4, 6, 8, 10] });
  });

  it('sleeps, and reads the clock once for each call', async () => {
    const { status, output } = await ended('sleeper', null);
    expect(status).toBe('completed');
    expect(output).toBeGreaterThanOrEqual(20);
  });

  it('waits for a signal', async () => {
    await engine.start('waiter', null, 'waiter-1');
    await vi.waitFor(async () => {
      await engine.signal('go', 'now');
      expect(await engine.getRun('waiter-1')).toMatchObject({ status: 'completed', output: 'now' });
    });
  });

  it('runs a child and gives its output', async () => {
    expect(await ended('parent', 5)).toMatchObject({ status: 'completed', output: 20 });
  });

  it('records a side effect once and replays it', async () => {
    expect(await ended('local', null)).toMatchObject({ status: 'completed', output: { value: 1, again: 2 } });
  });

  it('throws the failure of a step where it was called', async () => {
    expect(await ended('catcher', null)).toMatchObject({ status: 'completed', output: { declined: 'declined' } });
    expect(await ended('failing', null)).toMatchObject({ status: 'failed', error: { message: 'declined', code: 'card_declined' } });
  });

  it('refuses an option of ctx.step that the wire does not carry', async () => {
    const { status, error } = await ended('retrying', null);
    expect(status).toBe('failed');
    expect(error).toMatchObject({ code: 'unsupported_in_workflow', message: expect.stringContaining('retries') });
  });

  it('fails a workflow that goes on after the signal that suspends it', async () => {
    expect(await ended('careless', null)).toMatchObject({ status: 'failed', error: { code: 'suspension_caught' } });
  });

  it('completes 100 chains at once', async () => {
    const runs = Array.from({ length: 100 }, (_, index) => ended('chain', index, `many-${index}`));
    expect((await Promise.all(runs)).map(({ output }) => output)).toEqual(Array.from({ length: 100 }, (_, index) => index * 4));
  });
});
