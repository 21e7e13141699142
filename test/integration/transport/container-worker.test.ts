import { InMemoryStateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { describe, expect, it, vi } from 'vitest';
import { deferred } from '../../support/deferred.ts';
import { taskFor } from '../../support/sqs-records.ts';
import { createQueue, depth, ready, send, until } from '../local/queues.ts';
import { localSqs } from './support.ts';

const local = localSqs();

describe('handle', () => {
  it('runs a backlog concurrently, and leaves nothing behind', async () => {
    const { transport, prefix } = local.transport({ concurrency: 10 });
    const together = deferred<void>();
    let running = 0;
    transport.handle('step', async (input) => {
      running += 1;
      // Would wait for ever if the tasks ran one after the other.
      if (running === 10) together.resolve();
      await together.promise;
      return { doubled: Number(input) * 2 };
    });
    for (let seq = 0; seq < 60; seq += 1) await transport.dispatch(taskFor({ seq, input: seq }));
    const results = await local.results(await local.queueUrl(`${prefix}-results`), 60);
    expect(new Map(results.map(({ seq, output }) => [seq, output]))).toEqual(
      new Map(Array.from({ length: 60 }, (_, seq) => [seq, { doubled: seq * 2 }])),
    );
    const tasks = await local.queueUrl(`${prefix}-tasks-step`);
    await until(async () => expect(await depth(local.client, tasks)).toBe(0));
  });

  it('serves a queue for each name and partition where no group is given', async () => {
    const { transport, prefix } = local.transport();
    transport.handle('payments.charge-card', () => 'charged');
    transport.handle('report', () => 'reported', 'acme');
    await transport.dispatch(taskFor({ seq: 1, name: 'payments.charge-card' }));
    await transport.dispatch(taskFor({ seq: 2, name: 'report', group: 'report@acme' }));
    // Nobody serves this one.
    await transport.dispatch(taskFor({ seq: 3, name: 'report', group: 'report@other' }));
    const results = await local.results(await local.queueUrl(`${prefix}-results`), 2);
    expect(results.map(({ seq, output }) => [seq, output]).sort()).toEqual([
      [1, 'charged'],
      [2, 'reported'],
    ]);
    expect(await ready(local.client, await local.queueUrl(`${prefix}-tasks-report_at_other`))).toBe(1);
    await until(async () => expect(await depth(local.client, await local.queueUrl(`${prefix}-tasks-payments--charge-card`))).toBe(0));
    await until(async () => expect(await depth(local.client, await local.queueUrl(`${prefix}-tasks-report_at_acme`))).toBe(0));
  });

  it('serves exactly the queue of its group, for all steps', async () => {
    const { transport, prefix } = local.transport({ group: 'all' });
    transport.handle('a', () => 'A');
    transport.handle('b', () => 'B');
    await transport.dispatch(taskFor({ seq: 1, name: 'a', group: 'all' }));
    await transport.dispatch(taskFor({ seq: 2, name: 'b', group: 'all' }));
    await transport.dispatch(taskFor({ seq: 3, name: 'c', group: 'all' }));
    const results = await local.results(await local.queueUrl(`${prefix}-results`), 3);
    expect(new Map(results.map(({ seq, output, error }) => [seq, output ?? error?.code]))).toEqual(
      new Map([
        [1, 'A'],
        [2, 'B'],
        [3, 'no_handler'],
      ]),
    );
  });

  it('keeps a task hidden for as long as its step takes', async () => {
    const { transport, prefix } = local.transport({ visibilityTimeoutSec: 1 });
    let runs = 0;
    const before = local.requests('ChangeMessageVisibilityBatch');
    transport.handle('step', async () => {
      runs += 1;
      // Three times its visibility at least.
      await vi.waitFor(() => expect(local.requests('ChangeMessageVisibilityBatch') - before).toBeGreaterThanOrEqual(7), {
        timeout: 20_000,
        interval: 20,
      });
      return 'done';
    });
    await transport.dispatch(taskFor());
    const [result] = await local.results(await local.queueUrl(`${prefix}-results`), 1);
    expect(result?.output).toBe('done');
    expect(runs).toBe(1);
    const tasks = await local.queueUrl(`${prefix}-tasks-step`);
    await until(async () => expect(await depth(local.client, tasks)).toBe(0));
  });

  it('leaves messages alone that lack the marker', async () => {
    const { transport, prefix, logger } = local.transport({ marker: 'durable' });
    transport.handle('step', () => 'done');
    const tasks = await local.queueUrl(`${prefix}-tasks-step`);
    await send(local.client, tasks, ['of somebody else']);
    await transport.dispatch(taskFor());
    expect(await local.results(await local.queueUrl(`${prefix}-results`), 1)).toMatchObject([{ output: 'done' }]);
    await until(async () => expect(await depth(local.client, tasks)).toBe(1));
    expect(logger.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('stops cleanly: the step that runs is finished and answered, nothing more is received', async () => {
    // A server that has not noticed yet that a poll was cut may give it the next message, which then comes back after
    // this time.
    const { transport, prefix } = local.transport({ visibilityTimeoutSec: 2 });
    const begun = deferred<void>();
    const end = deferred<string>();
    transport.handle('step', () => {
      begun.resolve();
      return end.promise;
    });
    const tasks = await local.queueUrl(`${prefix}-tasks-step`);
    await transport.dispatch(taskFor());
    await begun.promise;
    const closing = transport.close();
    end.resolve('done');
    await closing;
    const receives = local.requests('ReceiveMessage');
    expect(await depth(local.client, tasks)).toBe(0);
    expect(await ready(local.client, await local.queueUrl(`${prefix}-results`))).toBe(1);
    // The transport's client is destroyed and can still send.
    await transport.dispatch(taskFor({ seq: 1 }));
    await until(async () => expect(await ready(local.client, tasks)).toBe(1));
    expect(local.requests('ReceiveMessage')).toBe(receives);
  });

  it('answers an engine of another process', async () => {
    const { transport: worker, prefix } = local.transport();
    worker.handle('double', (input) => Number(input) * 2);
    worker.handle('fail', (input) => {
      throw new Error(`got ${input}`);
    });
    const { transport } = local.transport({ prefix, consumeTasks: false });
    const engine = new WorkflowEngine({ store: new InMemoryStateStore(), transport });
    transport.attach(engine);
    engine.register('workflow', '1', async (ctx, input) => {
      const doubled = await ctx.step('double', input);
      const again = await ctx.step('double', doubled, { timeoutMs: 30_000 });
      return ctx.step('fail', [doubled, again]);
    });
    await engine.start('workflow', 21, 'run');
    const run = await engine.waitForRun('run', { until: 'terminal', timeoutMs: 20_000 });
    expect(run).toMatchObject({ status: 'failed', error: { message: 'got 42,84' } });
  });

  it('polls queues of which the URL is given, literally or by a function, sync or async', async () => {
    const [tasksA, tasksB, results] = await Promise.all([createQueue(local.client), createQueue(local.client), createQueue(local.client)]);
    const literal = local.transport({ taskQueueUrl: tasksA, resultsQueueUrl: async () => results, autoCreate: false });
    literal.transport.handle('a', () => 'A');
    literal.transport.handle('b', () => 'B');
    const resolved = local.transport({ taskQueueUrl: () => tasksB, resultsQueueUrl: results, group: 'x', autoCreate: false });
    resolved.transport.handle('c', () => 'C');
    await literal.transport.dispatch(taskFor({ seq: 1, name: 'a' }));
    await literal.transport.dispatch(taskFor({ seq: 2, name: 'b' }));
    await resolved.transport.dispatch(taskFor({ seq: 3, name: 'c' }));
    const answers = await local.results(results, 3);
    expect(new Map(answers.map(({ seq, output }) => [seq, output]))).toEqual(
      new Map([
        [1, 'A'],
        [2, 'B'],
        [3, 'C'],
      ]),
    );
  });
});
