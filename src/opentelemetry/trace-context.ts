import { isSpanContextValid, type SpanContext, trace } from '@opentelemetry/api';

const TRACEPARENT = /^[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(?:-|$)/;

/**
 * The trace context of a `traceparent`; undefined where it is none.
 * @see https://www.w3.org/TR/trace-context/#traceparent-header
 */
export function fromTraceparent(traceparent: string | undefined): SpanContext | undefined {
  const [, traceId = '', spanId = '', flags = ''] = TRACEPARENT.exec(traceparent ?? '') ?? [];
  const spanContext: SpanContext = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
  return isSpanContextValid(spanContext) ? spanContext : undefined;
}

/** Undefined for a span of a process without a tracer provider. */
export function toTraceparent(spanContext: SpanContext): string | undefined {
  const { traceId, spanId, traceFlags } = spanContext;
  return isSpanContextValid(spanContext) ? `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}` : undefined;
}

/** The span that is active where this is called. */
export function activeSpanContext(): SpanContext | undefined {
  const spanContext = trace.getActiveSpan()?.spanContext();
  return spanContext !== undefined && isSpanContextValid(spanContext) ? spanContext : undefined;
}

/** Trace contexts by id. The oldest are forgotten: what belongs to them later begins a trace of its own. */
export class RecentContexts {
  readonly #contexts = new Map<string, SpanContext>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(id: string): SpanContext | undefined {
    return this.#contexts.get(id);
  }

  set(id: string, spanContext: SpanContext): void {
    this.#contexts.delete(id);
    this.#contexts.set(id, spanContext);
    if (this.#contexts.size <= this.#limit) return;
    const [oldest] = this.#contexts.keys();
    if (oldest !== undefined) this.#contexts.delete(oldest);
  }
}
