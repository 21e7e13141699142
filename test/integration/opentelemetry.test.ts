import { randomUUID } from 'node:crypto';
import { InMemoryStateStore, type WorkflowCtx, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { openTelemetry } from 'durable-sqs-lambda/opentelemetry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SqsTransport, sqsStepHandler } from '../../src/index.ts';
import { createQueues, LocalEventSourceMapping, type LocalSqs } from '../../src/local/index.ts';
import { silentLogger } from '../support/local-cloud.ts';
import { outline, recordedSpans } from '../support/recorded-spans.ts';
import { startTestSqs } from '../support/sqs-server.ts';

/** The server may be shared with other tests. */
const PREFIX = `t${randomUUID().slice(0, 8)}`;
const TASKS = `${PREFIX}-tasks-payments--charge`;
const CONTAINER_TASKS = `${PREFIX}-tasks-invoices--render`;
const RESULTS = `${PREFIX}-results`;

let sqs: LocalSqs;
let recorded: ReturnType<typeof recordedSpans>;
let closing: (() => Promise<unknown>)[];

beforeEach(async () => {
  sqs = await startTestSqs();
  recorded = recordedSpans();
  closing = [() => recorded.close(), () => sqs.stop()];
});
afterEach(async () => {
  for (const close of closing.toReversed()) await close();
});

/** An engine, a step on Lambda and a step in a container, each traced as a process of its own would be. */
async function start(charge: (input: unknown) => unknown) {
  const { tracerProvider } = recorded;
  const { clientConfig } = sqs;
  const steps = ['payments.charge', 'invoices.render'];
  const { tasksQueueUrls, resultsQueueUrl } = await createQueues({ clientConfig, prefix: PREFIX, steps, functionTimeoutSeconds: 10 });
  const common = { clientConfig, prefix: PREFIX, resultsQueueUrl, logger: silentLogger };
  const handler = sqsStepHandler('payments.charge', charge, { ...common, around: openTelemetry({ tracerProvider }) });
  const queueUrl = tasksQueueUrls.get('payments.charge') ?? '';
  const mapping = new LocalEventSourceMapping({
    clientConfig,
    queueUrl,
    handler,
    functionName: 'charge',
    timeoutMs: 10_000,
    logger: silentLogger,
  });
  mapping.start();
  const container = new SqsTransport({ ...common, waitTimeSeconds: 1, around: openTelemetry({ tracerProvider }) });
  container.handle('invoices.render', () => 'rendered');
  const transport = new SqsTransport({ ...common, waitTimeSeconds: 1, tracing: openTelemetry({ tracerProvider }) });
  const engine = new WorkflowEngine({ store: new InMemoryStateStore(), transport });
  transport.attach(engine);
  closing.push(
    () => mapping.stop(),
    () => container.close(),
    async () => {
      await engine.drain();
      await transport.close();
    },
  );
  engine.register('checkout', '1', async (ctx: WorkflowCtx, input: unknown) => [
    await ctx.step('payments.charge', input),
    await ctx.step('invoices.render', input),
  ]);
  return engine;
}

function named(name: string): ReadableSpan {
  return recorded.spans().find((span) => span.name === name) ?? expect.fail(`expected a span ${name}`);
}

describe('openTelemetry', () => {
  it('puts a run into one trace: engine, queue, function, container and back', async () => {
    const engine = await start((input) => input);
    const tracer = recorded.tracerProvider.getTracer('app');
    await tracer.startActiveSpan('POST /orders', async (span) => {
      await engine.start('checkout', { orderId: 'o-1' }, 'run-1');
      span.end();
    });
    await engine.waitForRun('run-1', { timeoutMs: 20_000 });
    await expect.poll(() => recorded.spans().length).toBe(7);

    const spans = recorded.spans();
    expect(new Set(spans.map((span) => span.spanContext().traceId)).size).toBe(1);
    expect(outline(spans).toSorted((one, other) => one.name.localeCompare(other.name))).toEqual(
      [
        { name: 'POST /orders', parent: undefined },
        { name: `process ${RESULTS}`, parent: `send ${TASKS}` },
        { name: `process ${RESULTS}`, parent: `send ${CONTAINER_TASKS}` },
        { name: `process ${CONTAINER_TASKS}`, parent: `send ${CONTAINER_TASKS}` },
        { name: `process ${TASKS}`, parent: `send ${TASKS}` },
        { name: `send ${CONTAINER_TASKS}`, parent: `process ${RESULTS}` },
        { name: `send ${TASKS}`, parent: 'POST /orders' },
      ].toSorted((one, other) => one.name.localeCompare(other.name)),
    );

    const ids = { 'messaging.message.conversation_id': 'run-1', 'durable.run.id': 'run-1', 'durable.step.id': 'run-1:0' };
    expect(named(`send ${TASKS}`)).toMatchObject({
      kind: SpanKind.PRODUCER,
      attributes: {
        'messaging.system': 'aws_sqs',
        'messaging.operation.name': 'send',
        'messaging.operation.type': 'send',
        'messaging.destination.name': TASKS,
        'aws.sqs.queue.url': expect.stringContaining(TASKS),
        'durable.step.name': 'payments.charge',
        'durable.step.attempt': 1,
        ...ids,
      },
    });
    expect(named(`process ${TASKS}`)).toMatchObject({
      kind: SpanKind.CONSUMER,
      attributes: {
        'messaging.operation.name': 'process',
        'messaging.operation.type': 'process',
        'messaging.destination.name': TASKS,
        'messaging.message.id': expect.any(String),
        'durable.message.receive_count': 1,
        'durable.step.name': 'payments.charge',
        'faas.invocation_id': expect.any(String),
        ...ids,
      },
    });
    expect(named(`process ${RESULTS}`)).toMatchObject({ kind: SpanKind.CONSUMER, attributes: { 'durable.result.status': 'completed' } });
  });

  it('marks the span of a step that throws by its code, and says nothing of its message', async () => {
    const engine = await start(() => {
      throw Object.assign(new Error('card 4242 was declined'), { code: 'card_declined', retryable: false });
    });
    await engine.start('checkout', {}, 'run-2');
    await engine.waitForRun('run-2', { timeoutMs: 20_000 }).catch(() => undefined);
    await expect.poll(() => recorded.spans().length).toBe(3);
    const step = named(`process ${TASKS}`);
    expect(step.status).toEqual({ code: SpanStatusCode.ERROR });
    expect(step.attributes['error.type']).toBe('card_declined');
    expect(JSON.stringify(recorded.spans().map(({ attributes, events, status }) => [attributes, events, status]))).not.toContain('4242');
  });
});
