import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventCommand } from '../../../../../src/serverless/commands/event/command.ts';
import { sqsEvent } from '../../../../../src/serverless/commands/event/sqs-event.ts';
import { taskMessages } from '../../../../../src/serverless/commands/messages/queue-messages.ts';
import type { DurableStep } from '../../../../../src/serverless/durable-service.ts';
import { decodeRemoteTask } from '../../../../../src/wire/remote-task.ts';
import { decodeStartRun } from '../../../../../src/wire/start-run.ts';
import { decodeWorkflowTask } from '../../../../../src/wire/workflow-task.ts';
import { serviceOf, testContext, workflowService } from '../context.ts';

const step = (fifo: boolean): DurableStep => ({
  path: 'functions.pay.events[0].durableStep',
  name: 'pay',
  kind: 'step',
  partition: 'acme',
  token: 'pay@acme',
  function: { functionKey: 'pay', handler: 'pay.handler', runtime: 'nodejs24.x', timeoutSeconds: 30, reservedConcurrency: undefined },
  queues: { tasks: `shop-tasks-pay_at_acme${fifo ? '.fifo' : ''}`, deadLetters: 'dead', parked: 'parked' },
  batchSize: 10,
  batchWindowSeconds: 0,
  maximumConcurrency: undefined,
  provisionedPollers: undefined,
  maxReceiveCount: 10,
  visibilityTimeoutSeconds: 180,
  fifo,
  enabled: true,
});
const taskEvent = (served: DurableStep, count = 1) =>
  sqsEvent(taskMessages(served, { input: { amount: 1 }, runId: 'run', attempt: 2, count }), 'eu-central-1', 5);

describe('sqsEvent', () => {
  it('makes a record of the task that the engine would send, from the queue of its step', () => {
    const [record] = taskEvent(step(false)).Records;
    expect(decodeRemoteTask(record?.body ?? '')).toEqual({
      runId: 'run',
      seq: 0,
      name: 'pay',
      stepId: 'run:0',
      group: 'pay@acme',
      input: { amount: 1 },
      attempt: 2,
    });
    expect(record?.eventSourceARN).toBe('arn:aws:sqs:eu-central-1:000000000000:shop-tasks-pay_at_acme');
    expect(record?.md5OfBody).toBe(
      createHash('md5')
        .update(record?.body ?? '')
        .digest('hex'),
    );
    expect(record?.attributes.MessageGroupId).toBeUndefined();
  });

  it('gives each record a run of its own, and on FIFO the message group of its run', () => {
    const { Records } = taskEvent(step(true), 3);
    expect(Records.map(({ attributes }) => attributes.MessageGroupId)).toEqual(['run-1', 'run-2', 'run-3']);
    expect(new Set(Records.map(({ messageId }) => messageId)).size).toBe(3);
    expect(Records.map(({ body }) => decodeRemoteTask(body).runId)).toEqual(['run-1', 'run-2', 'run-3']);
  });
});

describe('sls durable event', () => {
  const service = serviceOf({ plain: 'pay', acme: { name: 'pay', partition: 'acme' }, other: { name: 'ship', partition: 'a' } });
  const group = async (options: Record<string, string>) => {
    const { context, terminal } = testContext({ service, options: { input: '{}', ...options } });
    await eventCommand.run(context);
    return decodeRemoteTask(JSON.parse(terminal.out).Records[0].body).group;
  };

  it('makes the event of the step without a partition unless --partition names one', async () => {
    expect(await group({ step: 'pay' })).toBe('pay');
    expect(await group({ step: 'pay', partition: 'acme' })).toBe('pay@acme');
    expect(await group({ step: 'ship' })).toBe('ship@a');
  });

  it('asks for --partition where every step of the name has one', async () => {
    const several = serviceOf({ a: { name: 'pay', partition: 'a' }, b: { name: 'pay', partition: 'b' } });
    const { context } = testContext({ service: several, options: { input: '{}', step: 'pay' } });
    await expect(eventCommand.run(context)).rejects.toThrow('--step: "pay" has several partitions; choose one with --partition: a, b');
  });

  it('reports a file that cannot be written as an error of --out', async () => {
    const { context } = testContext({ service: serviceOf({ pay: 'pay' }), options: { input: '{}', step: 'pay', out: '/' } });
    await expect(eventCommand.run(context)).rejects.toMatchObject({
      name: 'ServerlessError',
      message: '--out: expected a file that can be written, got / (EISDIR)',
    });
  });
});

describe('sls durable event of a workflow', () => {
  const turnOf = async (options: Record<string, string>, files: Readonly<Record<string, string>> = {}) => {
    const serviceDir = mkdtempSync(join(tmpdir(), 'event-'));
    for (const [file, text] of Object.entries(files)) writeFileSync(join(serviceDir, file), text);
    try {
      const { context, terminal } = testContext({
        service: workflowService('checkout'),
        serviceDir,
        options: { input: '{"orderId":"o-1"}', step: 'checkout', ...options },
      });
      await eventCommand.run(context);
      return decodeWorkflowTask(JSON.parse(terminal.out).Records[0].body);
    } finally {
      rmSync(serviceDir, { recursive: true });
    }
  };

  it('makes the first turn of a run', async () => {
    expect(await turnOf({ 'run-id': 'r' })).toEqual({
      taskId: 'r:wf:local',
      runId: 'r',
      workflow: 'checkout',
      workflowVersion: '1',
      input: { orderId: 'o-1' },
      history: [],
      group: 'checkout',
      attempt: 1,
    });
  });

  it('makes a later turn of a history', async () => {
    const history = [{ seq: 0, kind: 'call', name: 'pay', output: { id: 'p' } }];
    const files = { 'history.json': JSON.stringify(history) };
    expect(await turnOf({ 'history-file': 'history.json', 'workflow-version': '2' }, files)).toMatchObject({
      workflowVersion: '2',
      history,
    });
  });

  it('refuses a history that is none, without its contents', async () => {
    const files = { 'history.json': '[{"kind":"secret"}]' };
    await expect(turnOf({ 'history-file': 'history.json' }, files)).rejects.toThrow('--history-file: ');
    await expect(turnOf({ 'history-file': 'history.json' }, files)).rejects.not.toThrow('secret');
  });

  it('refuses an option of steps beside a workflow, and one of workflows beside a step', async () => {
    await expect(turnOf({ attempt: '2' })).rejects.toThrow('--attempt: "checkout" is a workflow, and a workflow has none');
    const { context } = testContext({ service: serviceOf({ pay: 'pay' }), options: { input: '{}', step: 'pay', 'workflow-version': '1' } });
    await expect(eventCommand.run(context)).rejects.toThrow('--workflow-version: "pay" is a step, and a step has none');
  });
});

describe('sls durable event of a start', () => {
  const starts = serviceOf({ pay: 'pay' }, { startRuns: true });
  const eventOf = async (options: Record<string, string>, service = starts) => {
    const { context, terminal } = testContext({ service, options: { start: 'checkout', ...options } });
    await eventCommand.run(context);
    return JSON.parse(terminal.out).Records;
  };

  it('makes a record of the start queue, as startRun sends it', async () => {
    const [record] = await eventOf({ 'run-id': 'order-1', input: '{"orderId":"o-1"}' });
    expect(decodeStartRun(record.body)).toEqual({
      tenant: 'default',
      workflow: 'checkout',
      runId: 'order-1',
      input: { orderId: 'o-1' },
    });
    expect(record.eventSourceARN).toBe('arn:aws:sqs:eu-central-1:000000000000:shop-start-run');
  });

  it('needs no input', async () => {
    expect(decodeStartRun((await eventOf({}))[0].body)).not.toHaveProperty('input');
  });

  it('names the function that is the engine', async () => {
    const serviceDir = mkdtempSync(join(tmpdir(), 'event-'));
    const engine = { handler: 'engine.handler', events: [{ durableEngine: true }] };
    const service = serviceOf({ pay: 'pay' }, { startRuns: true, functions: { engine } });
    const { context, terminal } = testContext({ service, serviceDir, options: { start: 'checkout', out: 'start.json' } });
    await eventCommand.run(context);
    rmSync(serviceDir, { recursive: true });
    expect(terminal.err).toBe('try it: serverless invoke local -f engine -p start.json\n');
  });

  it.each(['step', 'attempt', 'history-file'])('refuses --%s', async (option) => {
    await expect(eventOf({ [option]: 'pay' })).rejects.toThrow(`expected --start or --${option}, got both`);
  });

  it('says which setting makes the queue for starts', async () => {
    await expect(eventOf({}, serviceOf({ pay: 'pay' }))).rejects.toThrow(
      '--start: this service has no queue for starts of runs; add "startRuns',
    );
  });
});
