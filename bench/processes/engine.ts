/** The engine, in a process of its own: one transport or the other, everything else the same. */
import { InMemoryStateStore, type Transport, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { SqsTransport as PublishedTransport } from '@dudousxd/nestjs-durable-transport-sqs';
import { SqsTransport } from 'durable-sqs-lambda/engine';
import { AnsweringTransport } from '../peers/answering-transport.ts';
import { BareTransport } from '../peers/bare-transport.ts';
import { type Fields, textOf } from './fields.ts';
import { addressOf, clientConfigOf } from './sqs-server.ts';
import { serveRuns, TimedRuns } from './timed-runs.ts';

function open(fields: Fields): TimedRuns {
  const variant = textOf(fields, 'variant');
  const options = { clientConfig: clientConfigOf(addressOf(fields)), prefix: textOf(fields, 'prefix') };
  const store = new InMemoryStateStore();
  const ours = variant === 'ours' ? new SqsTransport(options) : undefined;
  const engine = new WorkflowEngine({ store, transport: ours ?? otherTransport(variant, options, fields) });
  ours?.attach(engine);
  return new TimedRuns(engine, store);
}

function otherTransport(variant: string, options: ConstructorParameters<typeof PublishedTransport>[0], fields: Fields): Transport {
  if (variant === 'floor') return new AnsweringTransport();
  if (variant === 'published') return new PublishedTransport(options);
  const { endpoint } = addressOf(fields);
  return new BareTransport({
    endpoint,
    tasksQueueUrl: textOf(fields, 'tasksQueueUrl'),
    resultsQueueUrl: textOf(fields, 'resultsQueueUrl'),
  });
}

serveRuns(open);
