/** The engine of section 9 that is always on: it polls, and takes starts by message. */
import { WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { SqsTransport } from 'durable-sqs-lambda/engine';
import { THREE_STEPS, threeSteps } from '../peers/three-steps.ts';
import { type Fields, textOf } from './fields.ts';
import { openDatabase } from './open-database.ts';
import { serveCommands } from './serve-commands.ts';
import { addressOf, clientConfigOf } from './sqs-server.ts';

async function open(fields: Fields): Promise<Fields> {
  const store = await openDatabase(fields, { makesTables: false });
  const transport = new SqsTransport({
    clientConfig: clientConfigOf(addressOf(fields)),
    prefix: textOf(fields, 'prefix'),
    startRuns: true,
  });
  const engine = new WorkflowEngine({ store, transport, remoteRedispatchMs: 900_000 });
  engine.register(THREE_STEPS, '1', threeSteps);
  transport.attach(engine, { poll: true });
  return {};
}

serveCommands({ open });
