import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { DynamoDBPersistenceLayer } from '@aws-lambda-powertools/idempotency/dynamodb';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import dynalite from 'dynalite';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { oncePerAttempt } from '../../docs/recipes/once-per-attempt.ts';
import { sqsStepHandler } from '../../src/lambda/index.ts';
import { lambdaContext } from '../../src/local/lambda-context.ts';
import { capturingLogger } from '../support/capturing-logger.ts';
import { deferred } from '../support/deferred.ts';
import { FakeQueues, failedIds, invoke } from '../support/fake-queues.ts';
import { eventOf, recordOf, taskFor } from '../support/sqs-records.ts';

const TABLE = 'durable-attempts';
const POLL_MS = 20;

let server: Server;
let client: DynamoDBClient;
let runs: string[] = [];
let task = taskFor();
let tasks = 0;

beforeAll(async () => {
  server = dynalite({ createTableMs: 0 });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  client = new DynamoDBClient({ endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', credentials });
  await client.send(
    new CreateTableCommand({
      TableName: TABLE,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    }),
  );
});
afterAll(async () => {
  client.destroy();
  server.close();
});
beforeEach(() => {
  runs = [];
  tasks += 1;
  task = taskFor({ runId: `run-${tasks}` });
});

/** A worker process of its own: what it remembers, others do not know. */
function worker(name: string, step: () => unknown = () => ({ by: name })) {
  const persistenceStore = new DynamoDBPersistenceLayer({ tableName: TABLE, awsSdkV3Client: client });
  const handler = sqsStepHandler(
    'step',
    () => {
      runs.push(name);
      return step();
    },
    { logger: capturingLogger(), around: oncePerAttempt(persistenceStore, POLL_MS), onDeadline: 'redeliver', deadlineReserveMs: 100 },
  );
  const queues = new FakeQueues();
  const deliver = (attempt = 1, timeoutMs = 20_000, to = queues) =>
    invoke(handler, eventOf(recordOf({ ...task, attempt })), to, lambdaContext({ functionName: name, timeoutMs }));
  return { deliver, queues };
}

describe('the recipe for repeats across workers', () => {
  it('the docs show the code that is tested here', () => {
    const recipe = readFileSync(new URL('../../docs/recipes/once-per-attempt.ts', import.meta.url), 'utf8');
    const docs = readFileSync(new URL('../../docs/recipes/idempotency.md', import.meta.url), 'utf8');
    expect(docs).toContain(`\`\`\`ts\n${recipe}\`\`\`\n`);
  });

  it.each([
    ['an object', { by: 'a', at: 1 }],
    ['nothing', undefined],
    ['null', null],
    ['a text', 'done'],
  ])('gives the output of the first worker (%s) to a second one, without running the step', async (_what, output) => {
    const [a, b] = [worker('a', () => output), worker('b')];
    const lost = new FakeQueues(() => Promise.reject(new Error('no answer')));
    await expect(a.deliver(1, 20_000, lost)).rejects.toMatchObject({ name: 'ResultsNotAcceptedError' });
    expect(failedIds(await b.deliver())).toEqual([]);
    expect(runs).toEqual(['a']);
    expect(b.queues.accepted).toMatchObject([{ status: 'completed' }]);
    expect(b.queues.accepted[0]?.output).toEqual(output);
  });

  it('lets the next attempt run', async () => {
    const [a, b] = [worker('a'), worker('b')];
    await a.deliver(1);
    await b.deliver(2);
    expect(runs).toEqual(['a', 'b']);
  });

  it('remembers no failure', async () => {
    const failing = worker('a', () => {
      throw new Error('busy');
    });
    const b = worker('b');
    await failing.deliver();
    await b.deliver();
    expect(runs).toEqual(['a', 'b']);
    expect([...failing.queues.accepted, ...b.queues.accepted].map(({ status }) => status)).toEqual(['failed', 'completed']);
  });

  it('makes a second worker wait for the first and send the same result', async () => {
    const work = deferred<string>();
    const [a, b] = [worker('a', () => work.promise), worker('b')];
    const first = a.deliver();
    await expect.poll(() => runs).toEqual(['a']);
    const second = b.deliver();
    await new Promise((resolve) => setTimeout(resolve, 5 * POLL_MS));
    expect(b.queues.accepted).toEqual([]);
    work.resolve('the work of a');
    expect([failedIds(await first), failedIds(await second)]).toEqual([[], []]);
    expect(runs).toEqual(['a']);
    expect([a, b].map(({ queues }) => queues.accepted[0]?.output)).toEqual(['the work of a', 'the work of a']);
  });

  it('gives a task back when another worker runs it for longer than there is time left, and fails no attempt', async () => {
    const work = deferred<string>();
    const [a, b] = [worker('a', () => work.promise), worker('b')];
    const first = a.deliver();
    await expect.poll(() => runs).toEqual(['a']);
    expect(failedIds(await b.deliver(1, 600))).toEqual(['message-0']);
    expect(b.queues.accepted).toEqual([]);
    work.resolve('done');
    await first;
  });

  it('runs the step when the deadline of a worker that was killed at it has passed: its mark expires then', async () => {
    const [a, b] = [worker('a', () => new Promise(() => {})), worker('b')];
    const killedAt = Date.now() + 1_500;
    expect(failedIds(await a.deliver(1, 1_500))).toEqual(['message-0']);
    expect(failedIds(await b.deliver())).toEqual([]);
    expect(Date.now()).toBeGreaterThanOrEqual(killedAt - 5);
    expect(runs).toEqual(['a', 'b']);
    expect(b.queues.accepted).toMatchObject([{ status: 'completed', output: { by: 'b' } }]);
  });
});
