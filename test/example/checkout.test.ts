import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort, type PostgresServer, startPostgres } from '../postgres/postgres-server.ts';
import { testOrders } from './orders.ts';
import { type ExampleProcess, startProcess } from './processes.ts';
import { commandIn, copyExample, versions } from './project.ts';
import { Shop } from './shop.ts';

/**
 * The project of examples/checkout as a reader runs it: a copy of it, with the packed package, on a PostgreSQL server,
 * with every process that its README names.
 */
const PYTHON = fileURLToPath(new URL('../../.venv/bin/python', import.meta.url));
const PATIENCE_MS = 120_000;
const ORDERS = 60;
/** Seen from the project's folder. */
const SLS = 'node_modules/serverless/bin/serverless.js';
/** Who order at the same time. */
const CUSTOMERS = 10;
/** Seen: one of 60, on a machine with ten times the work that it can do. */
const MAX_DISPATCHED_TWICE = 2;

const orders = testOrders(ORDERS);
const running: ExampleProcess[] = [];
let folder = '';
let postgres: PostgresServer;
let databaseUrl = '';
/** What `sls durable local` prints for the shells of the others. */
let printed: Record<string, string> = {};
let appPort = 0;
let local: ExampleProcess;
let app: ExampleProcess;

beforeAll(async () => {
  if (!existsSync(PYTHON)) throw new Error('the Python packages are not installed: run .ci/install-python');
  [postgres, folder] = await Promise.all([startPostgres(), copyExample()]);
  const { port, user, database } = await postgres.createDatabase('checkout');
  databaseUrl = `postgres://${user}@127.0.0.1:${port}/${database}`;
  await commandIn(folder, 'npm install --no-fund --no-audit --prefer-offline && npm run build');
  await commandIn(folder, 'psql "$DATABASE_URL" --quiet -f schema.sql', { DATABASE_URL: databaseUrl });
}, 240_000);

afterAll(async () => {
  // Killed, `sls durable local` would leave its bundler behind.
  await local?.end('SIGINT');
  await Promise.all(running.map((each) => each.end('SIGKILL')));
  await postgres?.stop();
  if (folder !== '') await rm(folder, { recursive: true, force: true });
}, 60_000);

it('asks for the version that is published with it', async () => {
  const { asked, packed } = await versions();
  expect(asked).toBe(`^${packed}`);
});

it('passes its own checks', async () => {
  await commandIn(folder, 'npm run typecheck && npm test', { DATABASE_URL: databaseUrl });
  await commandIn(folder, `${PYTHON} -m unittest discover risk`);
});

it('starts its processes, with the settings of its local.env', async () => {
  const sqsPort = await freePort();
  local = start(process.execPath, [SLS, 'durable', 'local', '--port', String(sqsPort)], { DATABASE_URL: databaseUrl });
  await local.printed(/^ready; /m);
  printed = settingsIn(local.output(), /^ +export (\w+)=(.*)$/gm);

  const file = await readFile(join(folder, 'local.env'), 'utf8');
  expect(settingsIn(file.replaceAll(':9324', `:${sqsPort}`), /^(\w+)=(.*)$/gm)).toEqual(printed);

  start(process.execPath, ['dist/workers/invoices.js'], printed);
  start(PYTHON, ['risk/worker.py'], printed);
  appPort = await freePort();
  app = await startApp();
  expect(await new Shop(appPort).get('/durable')).toContain('<html');
});

it('completes every checkout, and charges no card twice, though the engine is killed', async () => {
  const shop = new Shop(appPort);
  const placed = shop.checkOutAll(orders, CUSTOMERS);
  await until('a quarter of the cards are charged', async () => (await charges()).length >= ORDERS / 4);
  await app.end('SIGKILL');
  const logOfTheFirst = app.output();
  app = await startApp();
  const open = (await shop.states(orders)).filter((state) => state === undefined).length;
  await placed;
  await until('every checkout has ended', async () => (await shop.states(orders)).every((state) => state !== undefined));

  // The engine was killed in the middle, or this test has shown nothing.
  expect(open).toBeGreaterThan(0);
  const ended = await shop.states(orders);
  expect(ended.map((state) => state?.output?.outcome ?? state?.error)).toEqual(orders.map(({ ending }) => ending));
  for (const [index, { ending, body }] of orders.entries()) {
    const lastLine = `article-of-the-catalogue-${body.lines.length - 1}<`;
    if (ending === 'paid') expect(ended[index]?.output?.invoice?.html).toContain(lastLine);
  }

  const paid = orders.filter(({ ending }) => ending === 'paid');
  const charged = await charges();
  expect(sorted(charged.map((charge) => [charge.order_id, charge.amount_cents]))).toEqual(
    sorted(paid.map(({ body, totalCents }) => [body.orderId, totalCents])),
  );
  // Each task ran once: a second request comes from a second task. The engine dispatches a step again where its own
  // passes and a result meet (docs/reliability.md), and where LostTasks took the first task for lost.
  const tasks = chargeTasks(local.output());
  expect(new Set(tasks.map(({ messageId }) => messageId)).size).toBe(tasks.length);
  const tasksOf = (key: string) => tasks.filter(({ stepId }) => stepId === key).length;
  expect(charged.filter(({ requests, idempotency_key }) => requests !== tasksOf(idempotency_key))).toEqual([]);
  const log = logOfTheFirst + app.output();
  const unsaid = charged.filter(({ requests, idempotency_key }) => requests > 1 && !log.includes(`no result of ${idempotency_key};`));
  expect(unsaid.length).toBeLessThanOrEqual(MAX_DISPATCHED_TWICE);

  const entries = await rows<{ order_id: string; accounts: string }>(
    `select order_id, string_agg(account, ',' order by account) accounts from ledger_entries where order_id like 'order-%' group by order_id`,
  );
  expect(entries.length).toBe(paid.length);
  expect(entries.filter(({ accounts }) => accounts !== 'revenue,tax')).toEqual([]);
});

it('keeps the bodies of large orders in its bucket', async () => {
  const listed = await fetch(`${setting('AWS_ENDPOINT_URL_S3')}/${setting('DURABLE_PAYLOAD_BUCKET')}?list-type=2`);
  const text = await listed.text();
  expect(text).toContain('<Key>durable/task/');
  expect(text).toContain('<Key>durable/result/');
});

it('parks a dead letter, and shows it', async () => {
  const endpoint = setting('AWS_ENDPOINT_URL_SQS');
  const client = new SQSClient({
    region: setting('AWS_REGION'),
    endpoint,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  const QueueUrl = setting('DURABLE_RESULTS_QUEUE_URL').replace('-results', '-dead-letters-payments--charge-card');
  await client.send(new SendMessageCommand({ QueueUrl, MessageBody: 'no task' }));
  client.destroy();
  const shown = async () =>
    commandIn(folder, `npx sls durable dead-letters --json --endpoint ${endpoint}`, { ...printed, DATABASE_URL: databaseUrl });
  await until('the dead letter is shown', async () => (await shown()).includes('payments.charge-card'));
});

it('ends its workers in good order', async () => {
  const [, invoices, risk] = running;
  expect(await Promise.all([invoices?.end('SIGTERM'), risk?.end('SIGTERM')])).toEqual([0, 0]);
  // Nest ends by the signal, once all of its modules are closed.
  expect(await app.end('SIGTERM')).toBe('SIGTERM');
  expect(app.output()).not.toContain('ERROR');
}, 60_000);

describe('the same with its engine in a function', () => {
  const config = ['--config', 'serverless-engine.yml'];
  const few = testOrders(10).filter(({ ending }, index) => ending !== 'paid' || index > 7);

  it('makes its tables, starts, and completes what a function begins', async () => {
    await local.end('SIGINT');
    const { port, user, database } = await postgres.createDatabase('functions');
    databaseUrl = `postgres://${user}@127.0.0.1:${port}/${database}`;
    const own = { DATABASE_URL: databaseUrl };
    await commandIn(folder, 'psql "$DATABASE_URL" --quiet -f schema.sql && npm run schema', own);
    const sqsPort = await freePort();
    local = start(process.execPath, [SLS, 'durable', 'local', ...config, '--port', String(sqsPort)], own);
    await local.printed(/^ready; /m);
    printed = settingsIn(local.output(), /^ +export (\w+)=(.*)$/gm);
    start(process.execPath, ['dist/workers/invoices.js'], printed);
    start(PYTHON, ['risk/worker.py'], printed);

    for (const { body } of few) {
      await writeFile(join(folder, 'place-order.json'), JSON.stringify({ body: JSON.stringify(body) }));
      const line = `npx serverless invoke local ${config.join(' ')} -f placeOrder --path place-order.json`;
      expect(await commandIn(folder, line, { ...printed, ...own })).toContain('"statusCode": 202');
    }
    const ended = () =>
      rows<{ id: string; outcome: string }>(
        `select id, output->>'outcome' outcome from durable_workflow_runs where status not in ('pending', 'running', 'suspended') order by id`,
      );
    await until('every checkout has ended', async () => (await ended()).length === few.length);
    expect(await ended()).toEqual(few.map(({ body, ending }) => ({ id: body.orderId, outcome: ending })));
  });

  it('goes into packages', async () => {
    await commandIn(folder, `npx serverless package ${config.join(' ')}`, { DATABASE_URL: databaseUrl });
    expect(existsSync(join(folder, '.serverless/engine.zip'))).toBe(true);
  });
});

function start(command: string, args: readonly string[], environment: Readonly<Record<string, string>>): ExampleProcess {
  const started = startProcess({ folder, command, args, environment });
  running.push(started);
  return started;
}

/** The app. A task that the killed engine had not sent is sent within the patience of this test. */
async function startApp(): Promise<ExampleProcess> {
  const settings = { DATABASE_URL: databaseUrl, PORT: String(appPort), LOST_AFTER_SECONDS: '60' };
  const started = start(process.execPath, ['--enable-source-maps', 'dist/app/main.js'], { ...printed, ...settings });
  await started.printed(/listening on /);
  return started;
}

interface Charge {
  readonly order_id: string;
  readonly amount_cents: number;
  readonly idempotency_key: string;
  readonly requests: number;
}

/** The charges of this test's orders; the example's own tests have made others. */
function charges(): Promise<Charge[]> {
  return rows(`select order_id, amount_cents, idempotency_key, requests from charges where order_id like 'order-%'`);
}

async function rows<Row>(query: string): Promise<Row[]> {
  const json = `select coalesce(json_agg(r), '[]') from (${query}) r`;
  return JSON.parse(await commandIn(folder, `psql "$DATABASE_URL" -At -c "${json}"`, { DATABASE_URL: databaseUrl }));
}

/** The tasks that have charged a card, as the function's log says. */
function chargeTasks(log: string): { readonly stepId: string | undefined; readonly messageId: string | undefined }[] {
  const line = /step completed step=payments\.charge-card .*\bstepId=(\S+) .*\bmessageId=(\S+)/g;
  return [...log.matchAll(line)].map(([, stepId, messageId]) => ({ stepId, messageId }));
}

function sorted(pairs: readonly (readonly unknown[])[]): string[] {
  return pairs.map((pair) => JSON.stringify(pair)).sort();
}

function settingsIn(text: string, line: RegExp): Record<string, string> {
  return Object.fromEntries([...text.matchAll(line)].map(([, name, value]) => [name, value]));
}

function setting(name: string): string {
  const value = printed[name];
  if (value === undefined) throw new Error(`expected ${name} among what sls durable local prints`);
  return value;
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > deadline)
      throw new Error(`waited ${PATIENCE_MS} ms, and it did not come: ${what}\n${app.output().slice(-4_000)}`);
    await delay(200);
  }
}
