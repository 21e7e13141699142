/** The engine, in a process of its own: the workflow runs in it, or its turns go to a worker. */
import { InMemoryStateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { SqsTransport } from 'durable-sqs-lambda/engine';
import { TWO_STEPS, twoSteps } from '../peers/two-steps.ts';
import { type Fields, textOf } from './fields.ts';
import { serveCommands } from './serve-commands.ts';
import { addressOf, clientConfigOf } from './sqs-server.ts';
import { TimedRuns } from './timed-runs.ts';

let runs: TimedRuns | undefined;

function open(fields: Fields): Fields {
  const store = new InMemoryStateStore();
  const transport = new SqsTransport({ clientConfig: clientConfigOf(addressOf(fields)), prefix: textOf(fields, 'prefix') });
  const engine = new WorkflowEngine({ store, transport });
  transport.attach(engine);
  if (textOf(fields, 'variant') === 'lambda') engine.remote(TWO_STEPS, { group: TWO_STEPS });
  else engine.register(TWO_STEPS, '1', twoSteps);
  runs = new TimedRuns(engine, store, TWO_STEPS);
  return {};
}

function opened(): TimedRuns {
  if (runs === undefined) throw new Error('expected the command open first');
  return runs;
}

serveCommands({ open, oneByOne: (fields) => opened().oneByOne(fields) });
