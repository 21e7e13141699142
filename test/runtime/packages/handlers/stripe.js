import { sqsStepHandler } from 'durable-sqs-lambda/worker';
import Stripe from 'stripe';

export const handler = sqsStepHandler('stripe', async () => ({ works: typeof new Stripe('sk_test_x').charges.create === 'function' }));
