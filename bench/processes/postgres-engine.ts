/**
 * The engine on PostgreSQL, or on a store in memory, in a process of its own: one transport or the other, everything
 * else the same.
 */
import { InMemoryStateStore, type Transport, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { SqsTransport as PublishedTransport } from '@dudousxd/nestjs-durable-transport-sqs';
import { SqsTransport } from 'durable-sqs-lambda/engine';
import { openBullMQ } from '../../test/postgres/database/open-bullmq.mjs';
import { AnsweringTransport } from '../peers/answering-transport.ts';
import { type Fields, numberOf, textOf } from './fields.ts';
import { openDatabase } from './open-database.ts';
import { addressOf, clientConfigOf } from './sqs-server.ts';
import { serveRuns, TimedRuns } from './timed-runs.ts';

async function open(fields: Fields): Promise<TimedRuns> {
  const store = textOf(fields, 'store') === 'memory' ? new InMemoryStateStore() : await openDatabase(fields, { makesTables: true });
  const variant = textOf(fields, 'variant');
  const ours = variant === 'ours' ? new SqsTransport(optionsOf(fields)) : undefined;
  const engine = new WorkflowEngine({ store, transport: ours ?? otherTransport(variant, fields) });
  ours?.attach(engine);
  return new TimedRuns(engine, store);
}

function otherTransport(variant: string, fields: Fields): Transport {
  if (variant === 'floor') return new AnsweringTransport();
  if (variant === 'published') return new PublishedTransport(optionsOf(fields));
  return openBullMQ({ port: numberOf(fields, 'redisPort'), prefix: textOf(fields, 'prefix'), concurrency: 1 });
}

function optionsOf(fields: Fields) {
  return { clientConfig: clientConfigOf(addressOf(fields)), prefix: textOf(fields, 'prefix') };
}

serveRuns(open);
