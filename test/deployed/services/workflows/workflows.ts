import { sqsDeadLetterHandler, sqsStepHandler } from 'durable-sqs-lambda/worker';
import { sqsWorkflowHandler } from 'durable-sqs-lambda/workflow';

interface Order {
  readonly orderId: string;
  readonly amounts: readonly number[];
}

export const orders = sqsWorkflowHandler({
  /** A step, a fan-out and a sleep. */
  orders: {
    '1': async (ctx, { orderId, amounts }: Order) => {
      const [first = 0, ...others] = amounts;
      const deposit = await ctx.step<number>('payments.charge', { amount: first });
      await ctx.sleep(50);
      const rest = await Promise.all(others.map((amount) => ctx.step<number>('payments.charge', { amount })));
      return { orderId, charged: [deposit, ...rest] };
    },
  },
  /** A child, which is another workflow of this function. */
  basket: { '1': async (ctx, order: Order) => ({ order: await ctx.child('orders', order) }) },
  /** A child whose turns die. */
  patient: { '1': async (ctx) => ctx.child('doomed', {}) },
});

/** Its process ends in the middle of each turn, as a crash does. */
export const doomed = sqsWorkflowHandler('doomed', '1', () => process.exit(1));

export const charge = sqsStepHandler('payments.charge', async ({ amount }: { amount: number }) => amount * 100);

export const deadLetters = sqsDeadLetterHandler();
