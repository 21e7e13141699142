import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SQSClient } from '@aws-sdk/client-sqs';
import { createQueues } from '../../src/local/index.ts';
import { startSqsProcess } from '../faults/sqs-process.ts';
import { openStore } from './database/open-store.mjs';
import type { PostgresServer } from './postgres-server.ts';
import { clientConfigOf, QUEUES } from './process-options.ts';

export interface StageOptions {
  /** Of the scenario; its database is named after it. */
  readonly name: string;
  readonly fifoResults: boolean;
  /** Of each process of the engine. */
  readonly connections: number;
}

export type Stage = Awaited<ReturnType<typeof openStage>>;

/** What a scenario is played on: a database of its own, SQS in a process of its own, queues, and files of notes. */
export async function openStage({ name, fifoResults, connections }: StageOptions, postgres: PostgresServer) {
  const startedAt = Date.now();
  const home = await mkdtemp(join(tmpdir(), 'durable-engines-'));
  const [executions, trace] = [join(home, 'executions'), join(home, 'trace')];
  await Promise.all([writeFile(executions, ''), writeFile(trace, '')]);
  const database = { ...(await postgres.createDatabase(name.replaceAll('-', '_'))), connections };
  const opened = await openStore({ ...database, connections: 2 });
  const sqs = await startSqsProcess();
  const clientConfig = clientConfigOf({ sqsPort: sqs.port, name: 'test' });
  const client = new SQSClient(clientConfig);
  const queues = await createQueues({ clientConfig, ...QUEUES, fifo: { tasks: false, results: fifoResults } });
  return {
    home,
    /** What every process of the scenario is told. */
    processOptions: { sqsPort: sqs.port, database, fifoResults, executions, trace },
    opened,
    sqs,
    clientConfig,
    client,
    queues,
    elapsedSeconds: () => (Date.now() - startedAt) / 1_000,
    async close(): Promise<void> {
      client.destroy();
      await opened.close();
      await sqs.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}
