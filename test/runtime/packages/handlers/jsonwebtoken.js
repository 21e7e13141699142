import { sqsStepHandler } from 'durable-sqs-lambda/worker';
import jwt from 'jsonwebtoken';

export const handler = sqsStepHandler('jsonwebtoken', async () => ({ works: jwt.verify(jwt.sign({ a: 1 }, 's'), 's').a === 1 }));
