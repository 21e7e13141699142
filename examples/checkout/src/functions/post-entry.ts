import { sqsStepHandler } from 'durable-sqs-lambda/worker';
import { postEntry } from '../steps.ts';
import { database } from './database.ts';

/**
 * Posts an entry to the ledger, behind those that its order has. Two at once would take the same position: the FIFO
 * queue gives the entries of one run one after the other.
 */
export const handler = sqsStepHandler(
  postEntry.name,
  async ({ orderId, account, amountCents }, step) => {
    const { rows } = await database().query<{ position: number }>(
      `insert into ledger_entries (idempotency_key, order_id, position, account, amount_cents)
       select $1, $2, coalesce(max(position), 0) + 1, $3, $4 from ledger_entries where order_id = $2
       on conflict (idempotency_key) do update set account = excluded.account
       returning position`,
      [step.task.stepId, orderId, account, amountCents],
    );
    const [entry] = rows;
    if (entry === undefined) throw new Error('expected the row of the entry from PostgreSQL, got none');
    return { position: entry.position };
  },
  { input: postEntry.input, output: postEntry.output },
);
