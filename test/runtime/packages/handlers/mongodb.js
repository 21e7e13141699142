import { sqsStepHandler } from 'durable-sqs-lambda/worker';
import { MongoClient } from 'mongodb';

export const handler = sqsStepHandler('mongodb', async () => ({
  works: new MongoClient('mongodb://127.0.0.1:1').db('a').databaseName === 'a',
}));
