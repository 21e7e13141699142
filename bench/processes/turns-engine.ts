/** The engine, in a process of its own: the workflow runs in it, or its turns go to a worker. */
import { InMemoryStateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { SqsTransport } from 'durable-sqs-lambda/engine';
import { TWO_STEPS, twoSteps } from '../peers/two-steps.ts';
import { type Fields, textOf } from './fields.ts';
import { addressOf, clientConfigOf } from './sqs-server.ts';
import { serveRuns, TimedRuns } from './timed-runs.ts';

function open(fields: Fields): TimedRuns {
  const store = new InMemoryStateStore();
  const transport = new SqsTransport({ clientConfig: clientConfigOf(addressOf(fields)), prefix: textOf(fields, 'prefix') });
  const engine = new WorkflowEngine({ store, transport });
  transport.attach(engine);
  if (textOf(fields, 'variant') === 'lambda') engine.remote(TWO_STEPS, { group: TWO_STEPS });
  else engine.register(TWO_STEPS, '1', twoSteps);
  return new TimedRuns(engine, store, TWO_STEPS);
}

serveRuns(open);
