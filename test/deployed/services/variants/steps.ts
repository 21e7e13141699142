import { s3PayloadStore, sqsDeadLetterHandler, sqsStepHandler } from 'durable-sqs-lambda/worker';

/** Gives the position of each entry, so that an order can be seen. */
const positions = new Map<string, number>();

export const ledger = sqsStepHandler('ledger.append', async ({ account }: { account: string }) => {
  const position = (positions.get(account) ?? 0) + 1;
  positions.set(account, position);
  return { account, position };
});

/** Tells which invocation it was part of. */
export const mails = sqsStepHandler('mails.send', async (_: unknown, step) => ({ invocation: step.lambda.awsRequestId }));

export const prices = sqsStepHandler('prices.look-up', async ({ sku }: { sku: string }) => ({ sku, cents: 995 }));

/** Takes a text that SQS is too small for, and gives it back. */
export const documents = sqsStepHandler('documents.store', async ({ text }: { text: string }) => ({ text: text.toUpperCase() }), {
  payloadStore: s3PayloadStore(),
});

/** Ends its process, as a crash does: at the first receive, or at each. */
export const fragile = sqsStepHandler(
  'fragile.work',
  async ({ dies }: { dies: 'never' | 'once' | 'always' }, step) => {
    if (dies === 'always' || (dies === 'once' && step.receiveCount === 1)) process.exit(1);
    return { receiveCount: step.receiveCount };
  },
  { payloadStore: s3PayloadStore() },
);

/** Waits until its time is over, one step after the other. */
export const slow = sqsStepHandler(
  'slow.work',
  async ({ waits }: { waits: boolean }, step) => {
    if (waits) await new Promise((resolve) => step.signal.addEventListener('abort', resolve, { once: true }));
    return { receiveCount: step.receiveCount };
  },
  { concurrency: 1 },
);

export const deadLetters = sqsDeadLetterHandler({ payloadStore: s3PayloadStore() });
