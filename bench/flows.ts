/**
 * What one warm message passes of `src/`: `npm run bench:flows [-- --json | --list]`. Three flows:
 *
 * - dispatch: a task by `transport.dispatch` of a transport that is attached to an engine; until SQS has accepted it
 * - record: an invocation of a step's handler with one record; until it has answered, its result accepted by SQS
 * - result: a result on the results queue that a run waits for; until SQS has deleted the message and said so, and the
 *   run has completed
 *
 * A function counts where V8 has it passed in each of {@link ROUNDS} rounds: a timer that fires by chance is in some
 * of them only. It was entered, or came back from an `await`. A retry loop counts once for each time it is entered, by
 * the least of the rounds, and once where it is only come back to. Which functions are retry loops: `isRetryLoop` in
 * passed-functions.ts.
 *
 * Entries are counted in a process of their own: V8 counts either them or what is come back to.
 */
import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { InMemoryStateStore, type StepResult, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { buildApp } from 'fauxqs';
import { type PassedFunction, PassedFunctions } from './passed-functions.ts';
import { tableText } from './report/terminal.ts';

const WARM_UPS = 5;
const ROUNDS = 5;
/** Between two rounds: longer than anything that the last one left behind, but for an empty long poll. */
const SETTLE_MS = 500;
/** For an answer to get from the server to whom it is for: another turn or two of this event loop. */
const ANSWER_MS = 50;
const LOST_AFTER_MS = 10_000;
const REGION = 'us-east-1';
const STEP = 'flows_step';
const CREDENTIALS = { accessKeyId: 'local', secretAccessKey: 'local' };

type Flow = 'dispatch' | 'record' | 'result';

interface PassedByFlow {
  readonly flow: Flow;
  readonly functions: readonly PassedFunction[];
}

/** Starts a round, and resolves at its end. `from` is called where its span begins. */
type Round = (index: number, from: () => void) => Promise<void>;

async function measure(blocks: boolean): Promise<PassedByFlow[]> {
  const coverage = new PassedFunctions(blocks);
  // Not before: what is loaded earlier is not counted in full.
  const { sqsStepHandler, SqsTransport } = await import('../src/index.ts');
  const server = await startServer();
  const clientConfig = { endpoint: server.endpoint, region: REGION, credentials: CREDENTIALS };
  const transport = new SqsTransport({ clientConfig });
  try {
    const engine = new WorkflowEngine({ store: new InMemoryStateStore(), transport });
    transport.attach(engine);
    engine.register('one-step', '1', (ctx, input) => ctx.step(STEP, { input }));
    const runs = new Expected();
    engine.subscribe(({ type, runId }) => {
      if (type === 'run.completed') runs.met(runId, '');
    });

    const dispatch: Round = async (index, from) => {
      const task = taskOf(`dispatch-${index}`);
      from();
      await transport.dispatch(task);
    };

    const handler = sqsStepHandler(STEP, async (input) => input, { resultsQueueUrl: server.otherQueueUrl });
    const record: Round = async (index, from) => {
      const event = taskEvent(index);
      const context = lambdaContext(index);
      from();
      const { batchItemFailures } = await handler(event, context);
      if (batchItemFailures.length > 0) throw new Error('expected the record to be settled, and it was not');
    };

    const result: Round = async (index, from) => {
      const runId = `result-${index}`;
      const sent = server.sent.wait(runId);
      await engine.start('one-step', { orderId: 'o-1' }, runId);
      const { seq, stepId } = JSON.parse(await sent);
      await sleep(SETTLE_MS);
      const ended = Promise.all([runs.wait(runId), server.deletes.wait('')]);
      from();
      const output = { ok: true };
      await server.putResult({ runId, seq, stepId, status: 'completed', output, startedAt: Date.now() });
      await ended;
      await sleep(ANSWER_MS);
    };

    return [
      { flow: 'dispatch', functions: await rounds(dispatch, coverage) },
      { flow: 'record', functions: await rounds(record, coverage) },
      { flow: 'result', functions: await rounds(result, coverage) },
    ];
  } finally {
    await transport.close();
    await server.stop();
  }
}

/** What every round passes, with the least count of all rounds. */
async function rounds(round: Round, coverage: PassedFunctions): Promise<PassedFunction[]> {
  let common: PassedFunction[] | undefined;
  for (let index = 0; index < WARM_UPS + ROUNDS; index += 1) {
    await round(index, () => void coverage.take());
    const passed = new Map(coverage.take().map((one) => [keyOf(one), one]));
    if (index >= WARM_UPS) common = common === undefined ? [...passed.values()] : leastOf(common, passed);
    await sleep(SETTLE_MS);
  }
  return (common ?? []).sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
}

function leastOf(before: readonly PassedFunction[], passed: ReadonlyMap<string, PassedFunction>): PassedFunction[] {
  return before.flatMap((one) => {
    const now = passed.get(keyOf(one));
    return now === undefined ? [] : [{ ...one, count: Math.min(one.count, now.count) }];
  });
}

function keyOf({ file, start, name }: PassedFunction): string {
  return `${file}:${start}:${name}`;
}

/** Waits for what happens elsewhere. */
class Expected {
  readonly #waiting = new Map<string, (value: string) => void>();

  wait(key: string): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const timer = setTimeout(() => reject(new Error(`waited ${LOST_AFTER_MS} ms in vain`)), LOST_AFTER_MS);
    this.#waiting.set(key, (value) => {
      clearTimeout(timer);
      resolve(value);
    });
    return promise;
  }

  met(key: string, value: string): void {
    this.#waiting.get(key)?.(value);
    this.#waiting.delete(key);
  }
}

/** SQS in this process, with the queues of all flows. Its requests are seen as they arrive. */
async function startServer() {
  const app = buildApp({ logger: false, defaultRegion: REGION });
  /** By run: the task that was sent. */
  const sent = new Expected();
  /** Under no key: a delete that was answered. */
  const deletes = new Expected();
  app.addHook('preHandler', async ({ headers, body }) => {
    const action = String(headers['x-amz-target']);
    if (!action.startsWith('AmazonSQS.SendMessage')) return;
    for (const text of bodiesIn(body)) sent.met(String(JSON.parse(text).runId), text);
  });
  app.addHook('onResponse', async ({ headers }) => {
    if (String(headers['x-amz-target']).startsWith('AmazonSQS.DeleteMessage')) deletes.met('', '');
  });
  const endpoint = await app.listen({ host: '127.0.0.1', port: 0 });

  async function call(action: string, input: object): Promise<string> {
    const headers = { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `AmazonSQS.${action}` };
    const answer = await app.inject({ method: 'POST', url: '/', headers, payload: JSON.stringify(input) });
    if (answer.statusCode !== 200) throw new Error(`${action} failed: ${answer.body}`);
    return answer.body;
  }
  // Queue URLs of the server name a host that does not resolve.
  const create = async (name: string) =>
    `${endpoint}${new URL(JSON.parse(await call('CreateQueue', { QueueName: name })).QueueUrl).pathname}`;
  await create(`durable-tasks-${STEP}`);
  const resultsQueueUrl = await create('durable-results');
  return {
    endpoint,
    sent,
    deletes,
    /** Results go there that nobody waits for. */
    otherQueueUrl: await create('other-results'),
    putResult: (fields: StepResult) => {
      return call('SendMessage', { QueueUrl: resultsQueueUrl, MessageBody: JSON.stringify(fields) });
    },
    stop: async () => {
      await app.close();
    },
  };
}

/** Bodies of the messages of a request that sends one or some. */
function bodiesIn(request: unknown): string[] {
  if (typeof request !== 'object' || request === null) return [];
  const { MessageBody, Entries }: { MessageBody?: unknown; Entries?: unknown } = request;
  if (typeof MessageBody === 'string') return [MessageBody];
  return Array.isArray(Entries) ? Entries.flatMap(bodiesIn) : [];
}

function taskOf(runId: string) {
  return { runId, seq: 0, name: STEP, stepId: `${runId}:0`, group: STEP, input: { orderId: 'o-1' }, attempt: 1 };
}

function taskEvent(index: number) {
  const attributes = {
    ApproximateReceiveCount: '1',
    SentTimestamp: '1790000000000',
    SenderId: 'AIDAEXAMPLE',
    ApproximateFirstReceiveTimestamp: '1790000000001',
  };
  const record = {
    messageId: `message-${index}`,
    receiptHandle: `receipt-${index}`,
    body: JSON.stringify(taskOf(`record-${index}`)),
    attributes,
    messageAttributes: {},
    md5OfBody: '00000000000000000000000000000000',
    eventSource: 'aws:sqs',
    eventSourceARN: `arn:aws:sqs:${REGION}:000000000000:durable-tasks-${STEP}`,
    awsRegion: REGION,
  };
  return { Records: [record] };
}

function lambdaContext(index: number) {
  const startedAt = Date.now();
  return {
    awsRequestId: `request-${index}`,
    callbackWaitsForEmptyEventLoop: true,
    functionName: 'flows',
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:aws:lambda:${REGION}:000000000000:function:flows`,
    logGroupName: '/aws/lambda/flows',
    logStreamName: 'flows',
    memoryLimitInMB: '128',
    getRemainingTimeInMillis: () => 30_000 - (Date.now() - startedAt),
    done: () => undefined,
    fail: () => undefined,
    succeed: () => undefined,
  };
}

/** The same rounds in a process of its own, for how often functions are entered. */
async function entries(): Promise<PassedByFlow[]> {
  const script = fileURLToPath(import.meta.url);
  const { stdout } = await promisify(execFile)(process.execPath, [script, '--entries'], { maxBuffer: 2 ** 24 });
  return JSON.parse(stdout);
}

interface FlowReport {
  readonly flow: Flow;
  readonly files: number;
  readonly functions: number;
  readonly retryLoops: number;
  readonly passed: readonly PassedFunction[];
}

function reportOf({ flow, functions }: PassedByFlow, entered: readonly PassedFunction[]): FlowReport {
  const counts = new Map(entered.map((one) => [keyOf(one), one.count]));
  const passed = functions.map((one) => ({ ...one, count: Math.max(1, counts.get(keyOf(one)) ?? 0) }));
  return {
    flow,
    files: new Set(passed.map(({ file }) => file)).size,
    functions: passed.length,
    retryLoops: passed.reduce((sum, { retryLoop, count }) => sum + (retryLoop ? count : 0), 0),
    passed,
  };
}

function listText({ flow, files, functions, retryLoops, passed }: FlowReport): string {
  const lineOf = ({ name, line, count, retryLoop }: PassedFunction) => {
    return `    ${line}: ${name}${retryLoop ? `   retry loop × ${count}` : ''}`;
  };
  const lines = [...Map.groupBy(passed, ({ file }) => file)].flatMap(([file, inFile]) => [
    `  ${file} (${inFile.length})`,
    ...inFile.map(lineOf),
  ]);
  return [`${flow}: ${files} files, ${functions} functions, ${retryLoops} retry loops`, ...lines, ''].join('\n');
}

async function main(): Promise<void> {
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({ options: { json: flag, list: flag, entries: flag } });
  // As on Lambda, whatever the environment says of AWS; and no line for each record.
  for (const name of Object.keys(process.env)) if (/^(?:AWS|DURABLE)_/.test(name)) delete process.env[name];
  Object.assign(process.env, {
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    AWS_LAMBDA_LOG_LEVEL: 'WARN',
  });
  if (values.entries) {
    console.log(JSON.stringify(await measure(true)));
    return;
  }
  const [passed, entered] = await Promise.all([measure(false), entries()]);
  const reports = passed.map((one) => reportOf(one, entered.find(({ flow }) => flow === one.flow)?.functions ?? []));
  if (values.json) console.log(JSON.stringify(reports, undefined, 2));
  else if (values.list) console.log(reports.map(listText).join('\n'));
  else console.log(table(reports));
}

function table(reports: readonly FlowReport[]): string {
  const rows = reports.map(({ flow, ...counts }) => {
    return [flow, ...[counts.files, counts.functions, counts.retryLoops].map(String)];
  });
  return tableText({ title: 'one warm message passes', columns: ['flow', 'files', 'functions', 'retry loops'], rows });
}

await main();
