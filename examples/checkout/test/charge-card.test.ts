import { randomUUID } from 'node:crypto';
import { runStep } from 'durable-sqs-lambda/local';
import { afterAll, expect, it } from 'vitest';
import { handler } from '../src/functions/charge-card.ts';
import { database } from '../src/functions/database.ts';

afterAll(() => database().end());

const order = () => ({ orderId: `test-${randomUUID()}`, amountCents: 1_200, cardToken: 'tok_visa' });

async function requestsFor(orderId: string): Promise<number[]> {
  const { rows } = await database().query<{ requests: number }>('select requests from charges where order_id = $1', [orderId]);
  return rows.map(({ requests }) => requests);
}

it('charges a card once, however often its task is delivered', async () => {
  const input = order();
  const task = { runId: input.orderId, stepId: `${input.orderId}:1` };

  const first = await runStep(handler, input, { task });
  const second = await runStep(handler, input, { task, receiveCount: 2 });

  expect(first).toMatchObject({ status: 'completed', output: { chargeId: expect.stringMatching(/^ch_/) } });
  expect(second.output).toEqual(first.output);
  expect(await requestsFor(input.orderId)).toEqual([2]);
});

it('charges nothing when the card is declined, and is not retried', async () => {
  const input = { ...order(), cardToken: 'tok_declined' };

  const result = await runStep(handler, input);

  expect(result).toMatchObject({ status: 'failed', error: { code: 'card_declined', retryable: false } });
  expect(await requestsFor(input.orderId)).toEqual([]);
});

it('refuses an amount that is no number of cents', async () => {
  const result = await runStep(handler, { ...order(), amountCents: 12.5 });

  expect(result).toMatchObject({ status: 'failed', error: { code: 'invalid_input' } });
});
