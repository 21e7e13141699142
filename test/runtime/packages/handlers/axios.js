import axios from 'axios';
import { sqsStepHandler } from 'durable-sqs-lambda/worker';

export const handler = sqsStepHandler('axios', async () => ({
  works: axios.create({ baseURL: 'http://127.0.0.1:1' }).getUri({ url: '/a' }) === 'http://127.0.0.1:1/a',
}));
