import { sqsStepHandler } from 'durable-sqs-lambda/worker';

interface ReceiptInput {
  readonly orderId: string;
  readonly chargeId: string;
}

interface DeclineNoticeInput {
  readonly orderId: string;
}

/**
 * One function for two steps: both mail, both are quick, and one of them is rare. Each still has its own tasks queue.
 */
export const handler = sqsStepHandler({
  'notifications.send-receipt': async ({ orderId, chargeId }: ReceiptInput, step) => {
    step.info('sending the receipt', { orderId });
    return { messageId: `mail_${step.task.stepId}`, subject: `Receipt for ${orderId} (${chargeId})` };
  },
  'notifications.send-decline-notice': async ({ orderId }: DeclineNoticeInput, step) => {
    return { messageId: `mail_${step.task.stepId}`, subject: `Payment for ${orderId} did not go through` };
  },
});
