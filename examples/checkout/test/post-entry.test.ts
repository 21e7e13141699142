import { randomUUID } from 'node:crypto';
import { runStep } from 'durable-sqs-lambda/local';
import { afterAll, expect, it } from 'vitest';
import { database } from '../src/functions/database.ts';
import { handler } from '../src/functions/post-entry.ts';

afterAll(() => database().end());

it('posts the entries of an order one behind the other, and each once', async () => {
  const orderId = `test-${randomUUID()}`;
  const post = (account: string, seq: number) =>
    runStep(handler, { orderId, account, amountCents: 100 }, { task: { runId: orderId, seq, stepId: `${orderId}:${seq}` } });

  const positions = [await post('revenue', 2), await post('tax', 3), await post('revenue', 2)].map(({ output }) => output);

  expect(positions).toEqual([{ position: 1 }, { position: 2 }, { position: 1 }]);
});
