import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTelemetry, type TracedTask } from '../../../src/opentelemetry/index.ts';
import { fromTraceparent, RecentContexts, toTraceparent } from '../../../src/opentelemetry/trace-context.ts';
import type { ReceivedAnswer, SentTask } from '../../../src/transport/observers.ts';
import { recordedSpans } from '../../support/recorded-spans.ts';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const SPAN_ID = 'b7ad6b7169203331';
const TRACEPARENT = `00-${TRACE_ID}-${SPAN_ID}-01`;
const QUEUE_URL = 'https://sqs.eu-west-1.amazonaws.com/123456789012/durable-tasks-charge';
const QUEUE_ARN = 'arn:aws:sqs:eu-west-1:123456789012:durable-tasks-charge';

let recorded: ReturnType<typeof recordedSpans>;
beforeEach(() => {
  recorded = recordedSpans();
});
afterEach(() => recorded.close());

function stepOf(task: Partial<TracedTask['task']> = {}, signal: AbortSignal = new AbortController().signal): TracedTask {
  const ids = { runId: 'run', stepId: 'run:0', name: 'charge', attempt: 1 };
  return { task: { ...ids, ...task }, messageId: 'm-1', receiveCount: 2, queue: QUEUE_ARN, signal };
}

const sent = (fields: Partial<SentTask> = {}): SentTask => ({
  kind: 'step',
  name: 'charge',
  runId: 'run',
  stepId: 'run:0',
  attempt: 1,
  ...fields,
});
const answer = (fields: Partial<ReceivedAnswer> = {}): ReceivedAnswer => ({
  kind: 'result',
  status: 'completed',
  runId: 'run',
  stepId: 'run:0',
  messageId: 'm-2',
  receiveCount: 1,
  queueUrl: 'https://sqs.eu-west-1.amazonaws.com/123456789012/durable-results',
  ...fields,
});

const only = () => {
  const [span, ...others] = recorded.spans();
  if (span === undefined || others.length > 0) throw new Error(`expected one span, got ${recorded.spans().length}`);
  return span;
};

describe('the span of a step', () => {
  it('stays active while the step runs, and ends with it', async () => {
    const telemetry = openTelemetry({ tracerProvider: recorded.tracerProvider });
    const given = await telemetry(stepOf({ traceparent: TRACEPARENT }), async () => trace.getActiveSpan()?.spanContext().traceId);
    expect(given).toBe(TRACE_ID);
    expect(only().parentSpanContext).toMatchObject({ traceId: TRACE_ID, spanId: SPAN_ID, isRemote: true });
  });

  it('links the span of the invocation, whose child it is not', async () => {
    const invocation = recorded.tracerProvider.getTracer('lambda').startSpan('invocation');
    await context.with(trace.setSpan(ROOT_CONTEXT, invocation), () =>
      openTelemetry({ tracerProvider: recorded.tracerProvider })(stepOf({ traceparent: TRACEPARENT }), async () => undefined),
    );
    expect(only().links.map((link) => link.context.spanId)).toEqual([invocation.spanContext().spanId]);
  });

  it.each([undefined, '', 'nonsense', `00-${'0'.repeat(32)}-${SPAN_ID}-01`])(
    'begins a trace where the traceparent is %j',
    async (traceparent) => {
      await openTelemetry({ tracerProvider: recorded.tracerProvider })(stepOf({ traceparent }), async () => undefined);
      expect(only().parentSpanContext).toBeUndefined();
    },
  );

  it('ends when the step is stopped, and not a second time when the step ends', async () => {
    const stop = new AbortController();
    const { promise, resolve } = Promise.withResolvers<void>();
    const running = openTelemetry({ tracerProvider: recorded.tracerProvider })(stepOf({}, stop.signal), () => promise);
    expect(recorded.spans()).toEqual([]);
    stop.abort();
    expect(only().attributes['error.type']).toBe('stopped');
    resolve();
    await running;
    expect(recorded.spans()).toHaveLength(1);
  });

  it.each([
    ['its code', Object.assign(new RangeError('secret'), { code: 'too_far' }), 'too_far'],
    ['its name', new RangeError('secret'), 'RangeError'],
    ['the type of what is no error', 'secret', 'string'],
  ])('has as error.type %s', async (_what, thrown, type) => {
    await expect(openTelemetry({ tracerProvider: recorded.tracerProvider })(stepOf(), () => Promise.reject(thrown))).rejects.toBe(thrown);
    expect(only().attributes['error.type']).toBe(type);
    expect(JSON.stringify([only().attributes, only().events, only().status])).not.toContain('secret');
  });
});

describe('the span of a send', () => {
  it('carries its context on with the task, and is named by the queue', async () => {
    let carried: string | undefined;
    await openTelemetry({ tracerProvider: recorded.tracerProvider }).send(sent({ traceparent: TRACEPARENT }), async (traceparent) => {
      carried = traceparent;
      return QUEUE_URL;
    });
    expect(only()).toMatchObject({ name: 'send durable-tasks-charge', parentSpanContext: { spanId: SPAN_ID } });
    expect(carried).toBe(`00-${TRACE_ID}-${only().spanContext().spanId}-01`);
    expect(only().attributes).toMatchObject({ 'aws.sqs.queue.url': QUEUE_URL, 'server.address': 'sqs.eu-west-1.amazonaws.com' });
  });

  it('fails with the send', async () => {
    const refused = Object.assign(new Error('no'), { code: 'queue_not_found' });
    await expect(openTelemetry({ tracerProvider: recorded.tracerProvider }).send(sent(), () => Promise.reject(refused))).rejects.toBe(
      refused,
    );
    expect(only()).toMatchObject({ name: 'send', attributes: { 'error.type': 'queue_not_found' } });
  });

  it('joins the trace of its run where nothing else is known, after a timer for one', async () => {
    const { send } = openTelemetry({ tracerProvider: recorded.tracerProvider });
    await send(sent({ traceparent: TRACEPARENT }), async () => QUEUE_URL);
    await send(sent({ stepId: 'run:1' }), async () => QUEUE_URL);
    expect(recorded.spans().map((span) => span.spanContext().traceId)).toEqual([TRACE_ID, TRACE_ID]);
  });
});

describe('the span of a result', () => {
  it('has the send of its task as its parent', async () => {
    const { send, receive } = openTelemetry({ tracerProvider: recorded.tracerProvider });
    await send(sent(), async () => QUEUE_URL);
    await receive(answer(), async () => undefined);
    const [first, second] = recorded.spans();
    expect(second?.parentSpanContext?.spanId).toBe(first?.spanContext().spanId);
  });

  it('begins a trace where another process sent the task', async () => {
    await openTelemetry({ tracerProvider: recorded.tracerProvider }).receive(answer(), async () => undefined);
    expect(only()).toMatchObject({ name: 'process durable-results', parentSpanContext: undefined });
  });
});

describe('openTelemetry', () => {
  it('sends no traceparent where no tracer provider is registered', async () => {
    let carried: string | undefined = 'unset';
    await openTelemetry().send(sent(), async (traceparent) => {
      carried = traceparent;
      return QUEUE_URL;
    });
    expect(carried).toBeUndefined();
  });

  it('refuses an option that it does not know', () => {
    const options: object = { provider: recorded.tracerProvider };
    expect(() => openTelemetry(options)).toThrow('openTelemetry: unknown option "provider", expected one of tracerProvider');
  });
});

describe('trace contexts', () => {
  it('survive a round trip', () => {
    const spanContext = fromTraceparent(TRACEPARENT) ?? expect.fail('expected a span context');
    expect(toTraceparent(spanContext)).toBe(TRACEPARENT);
  });

  it('leave memory from the oldest on', () => {
    const recent = new RecentContexts(2);
    const spanContext = { traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1 };
    for (const id of ['a', 'b', 'a', 'c']) recent.set(id, spanContext);
    expect(['a', 'b', 'c'].map((id) => recent.get(id) !== undefined)).toEqual([true, false, true]);
  });
});
