import { taskEvent } from './sqs-event.ts';

/** An event with one task of the step that the functions of the cold starts serve. */
export function chargeEvent() {
  const name = 'payments.charge-card';
  const input = { orderId: 'o-1', amountCents: 1_200, cardToken: 'tok_visa' };
  const body = JSON.stringify({ runId: 'r-1', seq: 0, stepId: 'r-1:0', name, group: name, input, attempt: 1 });
  return { Records: taskEvent(1).Records.map((record) => ({ ...record, body })) };
}
