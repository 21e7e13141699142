import 'reflect-metadata';
import { sqsStepHandler } from 'durable-sqs-lambda/worker';
import { DataSource } from 'typeorm';

export const handler = sqsStepHandler('typeorm', async () => ({
  works: !new DataSource({ type: 'postgres', url: 'postgres://u:p@127.0.0.1:1/d', entities: [] }).isInitialized,
}));
