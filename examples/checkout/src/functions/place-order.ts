import { runStarter } from 'durable-sqs-lambda/client';
import { payloadStore } from '../payloads.ts';
import { Order } from '../steps.ts';

const startRun = runStarter({ payloadStore });

/** Begins the checkout of an order by a message. The order's id is the run's: an order sent twice is one checkout. */
export async function handler({ body = '' }: { readonly body?: string }) {
  const { success, data: order, error } = Order.safeParse(parsed(body));
  if (!success) return answer(400, { message: error.issues.map(({ path, message }) => ({ path: path.join('.'), message })) });
  const { runId } = await startRun({ workflow: 'checkout', input: order, runId: order.orderId });
  return answer(202, { orderId: runId });
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function answer(statusCode: number, body: object) {
  return { statusCode, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
