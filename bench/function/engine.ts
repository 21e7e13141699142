/** The engine as a Lambda function on PostgreSQL, as it is deployed: the section bundles this file. */
import { WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { sqsEngineHandler } from '../../src/engine-function/index.ts';
import { openStore } from '../../test/postgres/database/open-store.mjs';
import { THREE_STEPS, threeSteps } from '../peers/three-steps.ts';

/** One invocation at a time, of ten records: more wait for one another in the database anyway. */
const CONNECTIONS = 3;
const { DATABASE_PORT, DATABASE_USER = '', DATABASE_NAME = '' } = process.env;

export const handler = sqsEngineHandler(async (transport) => {
  const { store } = await openStore({
    port: Number(DATABASE_PORT),
    user: DATABASE_USER,
    database: DATABASE_NAME,
    connections: CONNECTIONS,
    makesTables: false,
  });
  const engine = new WorkflowEngine({ store, transport, remoteRedispatchMs: 900_000 });
  engine.register(THREE_STEPS, '1', threeSteps);
  return engine;
});

await handler.ready();
