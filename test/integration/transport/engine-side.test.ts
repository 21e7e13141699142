import { randomUUID } from 'node:crypto';
import { CreateQueueCommand, DeleteQueueCommand } from '@aws-sdk/client-sqs';
import { InMemoryStateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { describe, expect, it } from 'vitest';
import type { SqsTransport, SqsTransportOptions } from '../../../src/index.ts';
import { NO_STEP } from '../../../src/transport/engine/result-order.ts';
import type { StepResult } from '../../../src/wire/step-result.ts';
import { taskFor } from '../../support/sqs-records.ts';
import { ON_ELASTICMQ } from '../../support/sqs-server.ts';
import { depth, send, until } from '../local/queues.ts';
import { localSqs } from './support.ts';

const local = localSqs();
/** Prefixes of this run: a server that is not the embedded one keeps its queues. */
const unique = randomUUID().slice(0, 8);

const resultOf = (seq: number, runId = `run-${seq}`): StepResult => ({
  runId,
  seq,
  stepId: `${runId}:${seq}`,
  status: 'completed',
  output: seq,
});

/** Collects what the transport hands over. */
function collect(transport: SqsTransport, handler: (result: StepResult, times: number) => void = () => undefined) {
  const times = new Map<string, number>();
  transport.onResult(async (result) => {
    // The transport asks whether the store answers.
    if (result.stepId === NO_STEP) return;
    times.set(result.stepId, (times.get(result.stepId) ?? 0) + 1);
    handler(result, times.get(result.stepId) ?? 0);
  });
  return times;
}

describe('autoCreate', () => {
  it('makes queues with the attributes of the design', async () => {
    const { transport, prefix } = local.transport({ visibilityTimeoutSec: 100 });
    collect(transport);
    await transport.dispatch(taskFor({ name: 'payments.charge-card' }));
    const token = 'payments--charge-card';
    const day = 86_400;
    // ElasticMQ keeps neither a retention nor an encryption.
    const kept = (days: number) => (ON_ELASTICMQ ? {} : { MessageRetentionPeriod: String(days * day), SqsManagedSseEnabled: 'true' });
    const common = { ReceiveMessageWaitTimeSeconds: '20' };
    const arn = async (name: string) => (await local.attributes(name))['QueueArn'];
    const redrive = async (name: string) => JSON.parse((await local.attributes(name))['RedrivePolicy'] ?? 'null');

    expect(await local.attributes(`${prefix}-tasks-${token}`)).toMatchObject({
      ...common,
      ...kept(4),
      VisibilityTimeout: '600',
    });
    expect(await redrive(`${prefix}-tasks-${token}`)).toEqual({
      deadLetterTargetArn: await arn(`${prefix}-dead-letters-${token}`),
      maxReceiveCount: 10,
    });
    expect(await local.attributes(`${prefix}-dead-letters-${token}`)).toMatchObject({
      ...common,
      ...kept(14),
    });
    expect(await redrive(`${prefix}-dead-letters-${token}`)).toEqual({
      deadLetterTargetArn: await arn(`${prefix}-parked-${token}`),
      maxReceiveCount: 10,
    });
    expect(await local.attributes(`${prefix}-parked-${token}`)).toMatchObject({ ...common, ...kept(14) });
    expect(await redrive(`${prefix}-parked-${token}`)).toBeNull();

    expect(await local.attributes(`${prefix}-results`)).toMatchObject({
      ...common,
      ...kept(10),
      VisibilityTimeout: '30',
    });
    expect(await redrive(`${prefix}-results`)).toEqual({
      deadLetterTargetArn: await arn(`${prefix}-results-dead-letters`),
      maxReceiveCount: 100,
    });
    expect(await local.attributes(`${prefix}-results-dead-letters`)).toMatchObject({ ...common, ...kept(14) });
  });

  it('false: the error names the nearest of the queues that are there, and the likeliest cause first', async () => {
    const { transport, prefix } = local.transport({ autoCreate: false });
    for (const name of ['results', 'tasks-payments--charge-card']) {
      await local.client.send(new CreateQueueCommand({ QueueName: `${prefix}-${name}` }));
    }
    const refused = transport.dispatch(taskFor({ name: 'payments.charge-crad' }));
    await expect(refused).rejects.toThrow(`queues of the prefix "${prefix}" are there, but none of this step`);
    await expect(refused).rejects.toThrow(`Is "${prefix}-tasks-payments--charge-card" meant?`);
  });

  it('false: a missing queue fails the dispatch, and receiving waits for its queue', async () => {
    const { transport, prefix } = local.transport({ autoCreate: false });
    const taken = collect(transport);
    await expect(transport.dispatch(taskFor())).rejects.toMatchObject({ name: 'QueueNotFoundError', queue: `${prefix}-tasks-step` });
    const { QueueUrl = '' } = await local.client.send(new CreateQueueCommand({ QueueName: `${prefix}-results` }));
    await send(local.client, QueueUrl, [JSON.stringify(resultOf(0))]);
    await until(() => expect(taken.size).toBe(1));
  });
});

describe('results', () => {
  it('malformed results among good ones cost nothing', async () => {
    const { transport, prefix, logger } = local.transport();
    const taken = collect(transport);
    const results = await local.queueUrl(`${prefix}-results`);
    const bodies = Array.from({ length: 40 }, (_, seq) => (seq % 8 === 3 ? `{"seq":${seq}` : JSON.stringify(resultOf(seq))));
    await send(local.client, results, bodies);
    await until(() => expect(taken.size).toBe(35));
    await until(async () => expect(await depth(local.client, results)).toBe(5));
    await until(() => expect(logger.lines).toHaveLength(5));
    expect(new Set(logger.lines.map(({ message }) => message))).toEqual(
      new Set(['message is not a StepResult; left for the dead-letter queue']),
    );
  });

  it('a result that the engine rejects once is redelivered and accepted', async () => {
    const { transport, prefix } = local.transport();
    const taken = collect(transport, ({ seq }, times) => {
      if (seq % 5 === 0 && times === 1) throw new Error('store is down');
    });
    const results = await local.queueUrl(`${prefix}-results`);
    await send(
      local.client,
      results,
      Array.from({ length: 20 }, (_, seq) => JSON.stringify(resultOf(seq))),
    );
    await until(async () => expect(await depth(local.client, results)).toBe(0));
    expect([...taken.values()].filter((times) => times === 2)).toHaveLength(4);
    expect(taken.size).toBe(20);
  });

  it('results go on where their queue is deleted and made anew', async () => {
    const { transport, prefix } = local.transport();
    const taken = collect(transport);
    const results = await local.queueUrl(`${prefix}-results`);
    await send(local.client, results, [JSON.stringify(resultOf(0))]);
    await until(() => expect(taken.size).toBe(1));
    await local.client.send(new DeleteQueueCommand({ QueueUrl: results }));
    // autoCreate makes it, with its attributes.
    const again = await local.queueUrl(`${prefix}-results`);
    expect((await local.attributes(`${prefix}-results`))['RedrivePolicy']).toBeDefined();
    await send(local.client, again, [JSON.stringify(resultOf(1))]);
    await until(() => expect(taken.size).toBe(2));
  });

  it('tasks go on where theirs is', async () => {
    const { transport, prefix } = local.transport();
    await transport.dispatch(taskFor({ seq: 0 }));
    await local.client.send(new DeleteQueueCommand({ QueueUrl: await local.queueUrl(`${prefix}-tasks-step`) }));
    await transport.dispatch(taskFor({ seq: 1 }));
    expect(await depth(local.client, await local.queueUrl(`${prefix}-tasks-step`))).toBe(1);
    expect((await local.attributes(`${prefix}-tasks-step`))['RedrivePolicy']).toBeDefined();
  });

  it('a worker too goes on where its tasks queue and the results queue are deleted and made anew', async () => {
    const { transport, prefix } = local.transport();
    transport.handle('step', () => 'done');
    await transport.dispatch(taskFor({ seq: 0 }));
    await local.results(await local.queueUrl(`${prefix}-results`), 1);
    for (const queue of ['tasks-step', 'results']) {
      await local.client.send(new DeleteQueueCommand({ QueueUrl: await local.queueUrl(`${prefix}-${queue}`) }));
    }
    await transport.dispatch(taskFor({ seq: 1 }));
    expect(await local.results(await local.queueUrl(`${prefix}-results`), 1)).toMatchObject([{ seq: 1, output: 'done' }]);
  });
});

describe('one transport', () => {
  it('serves two engines in turn, with its own connections', async () => {
    // Some servers hand the next message to a long poll that close() has cut, and hide it for its visibility timeout.
    const { transport } = local.transport({ waitTimeSeconds: 0 });
    for (const turn of ['first', 'second']) {
      const engine = new WorkflowEngine({ store: new InMemoryStateStore(), transport });
      transport.attach(engine);
      transport.handle('who', () => turn);
      engine.register('workflow', '1', async (ctx) => [await ctx.step('who', null), await ctx.step('who', null)]);
      await engine.start('workflow', {}, turn);
      const { status, output } = await engine.waitForRun(turn, { until: 'terminal', timeoutMs: 30_000 });
      expect({ status, output }).toEqual({ status: 'completed', output: [turn, turn] });
      await transport.close();
    }
  });
});

describe('two transports on one account', () => {
  it.each<[string, SqsTransportOptions, SqsTransportOptions]>([
    ['prefixes', { prefix: `one-${unique}` }, { prefix: `two-${unique}` }],
    ['namespaces', { prefix: `shared-${unique}`, namespace: 'one' }, { prefix: `shared-${unique}`, namespace: 'two' }],
    ['one with and one without a namespace', { prefix: `mixed-${unique}` }, { prefix: `mixed-${unique}`, namespace: 'two' }],
  ])('transports of different %s do not touch each other', async (_what, first, second) => {
    const sides = [first, second].map((option, side) => {
      const { transport } = local.transport(option);
      const engine = new WorkflowEngine({ store: new InMemoryStateStore(), transport });
      transport.attach(engine);
      transport.handle('who', () => side);
      engine.register('workflow', '1', async (ctx) => [await ctx.step('who', null), await ctx.step('who', null)]);
      return engine;
    });
    // The same run ids on both sides: a result in the wrong queue would settle the wrong run.
    const runs = Array.from({ length: 10 }, (_, index) => `run-${index}`);
    await Promise.all(sides.flatMap((engine) => runs.map((runId) => engine.start('workflow', {}, runId))));
    for (const [side, engine] of sides.entries()) {
      const done = await Promise.all(runs.map((runId) => engine.waitForRun(runId, { until: 'terminal', timeoutMs: 30_000 })));
      expect(done.map(({ output }) => output)).toEqual(runs.map(() => [side, side]));
    }
  });
});
