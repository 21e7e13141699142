import { SqsTransport } from 'durable-sqs-lambda/engine';
import { payloadStore } from '../payloads.ts';
import { renderInvoice } from '../steps.ts';
import { invoiceOf } from './render-invoice.ts';

/** A container that serves one step for as long as it runs: for work that takes longer than Lambda's 15 minutes. */
const transport = new SqsTransport({ payloadStore });

transport.handle(renderInvoice.name, (input: unknown, step) => {
  const order = renderInvoice.input.parse(input);
  step.info('rendering', { orderId: order.orderId, lines: order.lines.length });
  return invoiceOf(order);
});

// The container is asked to end: what it works on is finished first.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void transport.close());
