import { z } from 'zod';

/** What workflow and worker agree on: a step's name, what goes in, what comes out. */
export interface StepContract<Input, Output> {
  readonly name: string;
  readonly input: z.ZodType<Input>;
  readonly output: z.ZodType<Output>;
}

const AmountCents = z.int().positive();

export const OrderLine = z.object({ sku: z.string().min(1), quantity: z.int().positive(), unitCents: AmountCents });

export const Order = z.object({
  orderId: z.string().min(1).max(100),
  country: z.string().length(2),
  cardCountry: z.string().length(2),
  cardToken: z.string().min(1),
  lines: z.array(OrderLine).min(1),
});
export type Order = z.infer<typeof Order>;

/** Served in Python: risk/worker.py. */
export const scoreOrder = {
  name: 'risk.score-order',
  input: z.object({ orderId: z.string(), amountCents: AmountCents, country: z.string(), cardCountry: z.string() }),
  output: z.object({ score: z.number().min(0).max(1) }),
} as const;

/** Served by a function with a database client: src/functions/charge-card.ts. */
export const chargeCard = {
  name: 'payments.charge-card',
  input: z.object({ orderId: z.string(), amountCents: AmountCents, cardToken: z.string() }),
  output: z.object({ chargeId: z.string() }),
} as const;

/** Served by a function behind a FIFO queue: src/functions/post-entry.ts. */
export const postEntry = {
  name: 'ledger.post-entry',
  input: z.object({ orderId: z.string(), account: z.enum(['revenue', 'tax']), amountCents: z.int() }),
  output: z.object({ position: z.int().positive() }),
} as const;

/** Served by a container: src/workers/invoices.ts. */
export const renderInvoice = {
  name: 'documents.render-invoice',
  input: z.object({ orderId: z.string(), lines: z.array(OrderLine), totalCents: AmountCents, chargeId: z.string() }),
  output: z.object({ number: z.string(), html: z.string() }),
} as const;
