/** The engine, in a process of its own: one transport or the other, everything else the same. */
import { InMemoryStateStore, type Transport, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { SqsTransport as PublishedTransport } from '@dudousxd/nestjs-durable-transport-sqs';
import { SqsTransport } from 'durable-sqs-lambda/engine';
import { AnsweringTransport } from '../peers/answering-transport.ts';
import { BareTransport } from '../peers/bare-transport.ts';
import { type Fields, textOf } from './fields.ts';
import { serveCommands } from './serve-commands.ts';
import { addressOf, clientConfigOf } from './sqs-server.ts';
import { TimedRuns } from './timed-runs.ts';

let runs: TimedRuns | undefined;

function open(fields: Fields): Fields {
  const variant = textOf(fields, 'variant');
  const options = { clientConfig: clientConfigOf(addressOf(fields)), prefix: textOf(fields, 'prefix') };
  const store = new InMemoryStateStore();
  const ours = variant === 'ours' ? new SqsTransport(options) : undefined;
  const engine = new WorkflowEngine({ store, transport: ours ?? otherTransport(variant, options, fields) });
  ours?.attach(engine);
  runs = new TimedRuns(engine, store);
  return {};
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

function opened(): TimedRuns {
  if (runs === undefined) throw new Error('expected the command open first');
  return runs;
}

serveCommands({ open, atOnce: (fields) => opened().atOnce(fields), oneByOne: (fields) => opened().oneByOne(fields) });
