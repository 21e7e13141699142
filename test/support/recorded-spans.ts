import { context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { BasicTracerProvider, InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';

/**
 * The real SDK, with an exporter that keeps the spans. The context manager is the process's only one: `close` takes it
 * away.
 */
export function recordedSpans() {
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  return {
    tracerProvider,
    /** Those that have ended, in the order of their ends. */
    spans: (): readonly ReadableSpan[] => exporter.getFinishedSpans(),
    async close(): Promise<void> {
      context.disable();
      await tracerProvider.shutdown();
    },
  };
}

/** A span with its parent's name, without what differs from run to run. */
export function outline(spans: readonly ReadableSpan[]) {
  const names = new Map(spans.map((span) => [span.spanContext().spanId, span.name]));
  return spans.map(({ name, parentSpanContext }) => ({ name, parent: parentSpanContext && names.get(parentSpanContext.spanId) }));
}
