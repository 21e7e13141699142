import { type Context, context, type Link, type Span, SpanKind, SpanStatusCode, type TracerProvider, trace } from '@opentelemetry/api';
import { anObject, checkOptions } from '../options.ts';
import type { ReceivedAnswer, SentTask, TransportTracing } from '../transport/observers.ts';
import { errorType, messagingAttributes, queueAttributes, spanName } from './attributes.ts';
import { activeSpanContext, fromTraceparent, RecentContexts, toTraceparent } from './trace-context.ts';

export interface OpenTelemetryOptions {
  /** Where spans go. @default the one that is registered globally when a span begins */
  readonly tracerProvider?: TracerProvider;
}

/** What `around` is given, as far as a span needs it. */
export interface TracedTask {
  readonly task: {
    readonly runId: string;
    readonly stepId: string;
    readonly name: string;
    readonly attempt: number;
    readonly traceparent?: string | undefined;
  };
  readonly messageId: string;
  readonly receiveCount: number;
  /** ARN or URL. */
  readonly queue: string;
  readonly signal: AbortSignal;
  readonly lambda?: { readonly awsRequestId: string };
}

/** Fits `around` of a step handler and of `SqsTransport`, and `tracing` of `SqsTransport`. */
export type Telemetry = TransportTracing & ((step: TracedTask, next: () => Promise<unknown>) => Promise<unknown>);

/** As the package is called. */
const TRACER = 'durable-sqs-lambda';
/** `error.type` of a step that was stopped: its invocation ran out of time, or its worker closes. */
const STOPPED = 'stopped';
/** Runs and steps whose trace an engine's process remembers: about 300 bytes each. */
const REMEMBERED = 20_000;

/**
 * Spans of steps, sends and results, in one trace for each run.
 *
 * ```ts
 * export const handler = sqsStepHandler('payments.charge-card', chargeCard, { around: openTelemetry() });
 * const transport = new SqsTransport({ tracing: openTelemetry() });
 * ```
 *
 * - a step: `process <queue>`, CONSUMER, child of the task's `traceparent`
 * - the send of a task: `send <queue>`, PRODUCER; the task carries its context on
 * - a result that the engine is given, and the turn that it begins: `process <results queue>`, CONSUMER, child of the
 *   send of its task
 *
 * What an engine's process no longer knows of a run (it was started by another process, or long ago) begins a trace of
 * its own. No span holds an input, an output, or the message of an error.
 * @throws ConfigurationError for an unknown option.
 */
export function openTelemetry(options: OpenTelemetryOptions = {}): Telemetry {
  checkOptions('openTelemetry', options, { tracerProvider: anObject });
  // Asked for each span: a provider may be registered after this module was loaded.
  const tracer = () => (options.tracerProvider ?? trace).getTracer(TRACER);
  const known = new RecentContexts(REMEMBERED);

  function aroundStep(step: TracedTask, next: () => Promise<unknown>): Promise<unknown> {
    const { task, queue, lambda } = step;
    const { parent, links } = parentOf(fromTraceparent(task.traceparent));
    const attributes = {
      ...messagingAttributes('process', { ...step, ...task }, queue),
      'durable.step.name': task.name,
      'durable.step.attempt': task.attempt,
      ...(lambda === undefined ? {} : { 'faas.invocation_id': lambda.awsRequestId }),
    };
    const span = tracer().startSpan(spanName('process', queue), { kind: SpanKind.CONSUMER, attributes, links }, parent);
    // A step that goes on after its time would leave its span open, in a process that is frozen.
    const stopped = () => fail(span, STOPPED);
    step.signal.addEventListener('abort', stopped, { once: true });
    return inSpan(span, parent, next).finally(() => step.signal.removeEventListener('abort', stopped));
  }

  async function send(task: SentTask, sendTask: (traceparent: string | undefined) => Promise<string>): Promise<void> {
    const { runId, stepId } = task;
    const { parent } = parentOf(fromTraceparent(task.traceparent) ?? activeSpanContext() ?? known.get(runId));
    const attributes = {
      ...messagingAttributes('send', task, undefined),
      [`durable.${task.kind === 'step' ? 'step' : 'workflow'}.name`]: task.name,
      'durable.step.attempt': task.attempt,
    };
    const span = tracer().startSpan('send', { kind: SpanKind.PRODUCER, attributes }, parent);
    const spanContext = span.spanContext();
    known.set(stepId, spanContext);
    if (known.get(runId) === undefined) known.set(runId, spanContext);
    await inSpan(span, parent, async () => {
      const queueUrl = await sendTask(toTraceparent(spanContext));
      // Which queue it is turns out only now.
      span.updateName(spanName('send', queueUrl)).setAttributes(queueAttributes(queueUrl));
    });
  }

  async function receive(answer: ReceivedAnswer, give: () => Promise<void>): Promise<void> {
    const { runId, stepId, queueUrl, kind, status } = answer;
    const { parent, links } = parentOf(known.get(stepId) ?? known.get(runId));
    const attributes = { ...messagingAttributes('process', answer, queueUrl), [`durable.${kind}.status`]: status };
    const span = tracer().startSpan(spanName('process', queueUrl), { kind: SpanKind.CONSUMER, attributes, links }, parent);
    await inSpan(span, parent, give);
  }

  return Object.assign(aroundStep, { send, receive });
}

/**
 * A span of another process or moment as the parent. The span that is active here (of an invocation, say) is linked to
 * then.
 */
function parentOf(remote: ReturnType<typeof fromTraceparent>): { readonly parent: Context; readonly links: Link[] } {
  const here = context.active();
  if (remote === undefined) return { parent: here, links: [] };
  const active = activeSpanContext();
  const links = active === undefined || active.spanId === remote.spanId ? [] : [{ context: active }];
  return { parent: trace.setSpanContext(here, remote), links };
}

/** Ends the span when the call ends, as failed where it rejects. */
async function inSpan<T>(span: Span, parent: Context, call: () => Promise<T>): Promise<T> {
  try {
    return await context.with(trace.setSpan(parent, span), call);
  } catch (error) {
    fail(span, errorType(error));
    throw error;
  } finally {
    // One that was stopped has ended before, and the SDK warns of a second end.
    if (span.isRecording()) span.end();
  }
}

function fail(span: Span, type: string): void {
  if (span.isRecording()) span.setAttribute('error.type', type).setStatus({ code: SpanStatusCode.ERROR }).end();
}
