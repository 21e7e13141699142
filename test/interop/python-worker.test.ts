import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SqsTransport, sqsStepHandler } from '../../src/index.ts';
import { LocalEventSourceMapping } from '../../src/local/index.ts';
import { createQueue, depth } from '../integration/local/queues.ts';
import { capturingLogger } from '../support/capturing-logger.ts';
import { taskFor } from '../support/sqs-records.ts';
import { startTestSqs, type TestSqs } from '../support/sqs-server.ts';
import { startMoto } from './moto.ts';
import { neighbourhood } from './neighbourhood.ts';
import { awsEnvironment, requirePython, startPython } from './python.ts';

let sqs: TestSqs;
let client: SQSClient;

beforeAll(async () => {
  requirePython();
  sqs = await startTestSqs();
  client = new SQSClient(sqs.clientConfig);
});

afterAll(async () => {
  client?.destroy();
  await sqs?.stop();
});

describe('a Python worker', () => {
  it.for(['py_echo', 'payments.charge-card'])(
    'completes the step %s of our engine, and its log reaches the checkpoint',
    async (step, test) => {
      const n = await neighbourhood(sqs, test, [step]);
      const worker = await n.python(step);
      const input = { text: 'naïve 日本 😀 \uFFFE', numbers: [0.1, -5], nothing: null };
      const run = await n.run('r1', step, input);
      expect(run).toMatchObject({ status: 'completed', output: { by: 'python', input } });
      expect(worker.lines).toEqual([{ ready: true }, { ran: input }]);
      const [checkpoint] = await n.store.listCheckpoints('r1');
      expect(checkpoint?.events).toMatchObject([
        { level: 'info', message: 'echoing', data: { from: 'python' } },
        { level: 'warn', name: 'part', status: 'skipped', message: 'not today' },
      ]);
      await n.drained();
    },
  );

  it('ends the retries with a FatalError, whose code arrives', async (test) => {
    const n = await neighbourhood(sqs, test, ['py_declined']);
    const worker = await n.python('py_declined');
    const run = await n.run('r1', 'py_declined', 'card', { retries: 3, backoffMs: 1 });
    expect(run.output).toMatchObject({ message: 'the card was declined', code: 'card_declined', retryable: false });
    expect(worker.lines).toEqual([{ ready: true }, { ran: 'card' }]);
    await n.drained();
  });

  it('leaves any other exception to the retries of the step', async (test) => {
    const n = await neighbourhood(sqs, test, ['py_busy']);
    await n.python('py_busy');
    expect(await n.run('r1', 'py_busy', 'a', { retries: 3, backoffMs: 1 })).toMatchObject({ status: 'completed', output: 3 });
    const once = await n.run('r2', 'py_busy', 'b');
    expect(once.output).toMatchObject({ message: 'busy, call 1' });
    expect(once.output).not.toHaveProperty('retryable');
    await n.drained();
  });

  it('fails a step that it has not, once', async (test) => {
    const n = await neighbourhood(sqs, test, ['py_unknown']);
    await n.python('py_unknown');
    const run = await n.run('r1', 'py_unknown', null, { retries: 3, backoffMs: 1 });
    expect(run.output).toMatchObject({ message: 'no handler for py_unknown', retryable: false });
    await n.drained();
  });

  it('takes the marker that we set, and sets it for us', async (test) => {
    const n = await neighbourhood(sqs, test, ['py_echo'], { marker: 'durable' });
    await n.python('py_echo', [], { MARKER: 'durable' });
    expect(await n.run('r1', 'py_echo', 1)).toMatchObject({ status: 'completed', output: { input: 1 } });
    await n.drained();
  });

  it('shares a tasks queue with our Lambda worker, and every step is done exactly once', async (test) => {
    const n = await neighbourhood(sqs, test, ['py_echo']);
    const folder = await mkdtemp(join(tmpdir(), 'interop-'));
    test.onTestFinished(() => rm(folder, { recursive: true }));
    const gate = join(folder, 'open');
    const count = 100;

    // Each waits for the other's first step: one alone could take them all before the other has woken up.
    const pythonHasOne = Promise.withResolvers<void>();
    const python = await n.python('py_echo', [gate], {}, (line) => {
      if (typeof line === 'object' && line !== null && 'ran' in line) pythonHasOne.resolve();
    });
    const lambdaRan: unknown[] = [];
    const handler = sqsStepHandler(
      'py_echo',
      async (input: unknown) => {
        lambdaRan.push(input);
        await writeFile(gate, '');
        await pythonHasOne.promise;
        return { by: 'lambda', input };
      },
      { clientConfig: sqs.clientConfig, resultsQueueUrl: n.resultsQueueUrl, logger: capturingLogger() },
    );
    const mapping = new LocalEventSourceMapping({
      clientConfig: sqs.clientConfig,
      queueUrl: n.tasksQueueUrls.get('py_echo') ?? '',
      functionName: 'echo',
      handler,
      // So that some are left for Python, whatever the timing.
      maximumConcurrency: 2,
      timeoutMs: 30_000,
      logger: capturingLogger(),
    });
    test.onTestFinished(() => mapping.stop());
    mapping.start();

    const runs = await Promise.all(Array.from({ length: count }, (_, index) => n.run(`r${index}`, 'py_echo', index)));

    expect(runs.map(({ status }) => status)).toEqual(runs.map(() => 'completed'));
    expect(runs.map(({ output }) => output)).toEqual(runs.map((_, index) => expect.objectContaining({ input: index })));
    const pythonRan = python.lines.flatMap((line) => (typeof line === 'object' && line !== null && 'ran' in line ? [line.ran] : []));
    expect(pythonRan.length).toBeGreaterThan(0);
    expect(lambdaRan.length).toBeGreaterThan(0);
    expect([...pythonRan, ...lambdaRan].sort((a, b) => Number(a) - Number(b))).toEqual(runs.map((_, index) => index));
    await n.drained();
  });
});

describe('known limits', () => {
  it('a FIFO results queue shuts a Python worker out: its send has no group, it ends, the task stays', async (test) => {
    const moto = await startMoto();
    test.onTestFinished(() => moto.stop());
    const sdk = new SQSClient({ ...sqs.clientConfig, endpoint: moto.endpoint });
    test.onTestFinished(() => sdk.destroy());
    const prefix = 'fifo';
    const tasks = await createQueue(sdk, { name: `${prefix}-tasks-py_echo` });
    const results = await createQueue(sdk, { name: `${prefix}-results`, fifo: true });
    const transport = new SqsTransport({ clientConfig: { ...sqs.clientConfig, endpoint: moto.endpoint }, prefix, autoStart: false });
    await transport.dispatch(taskFor({ name: 'py_echo' }));
    await transport.close();

    const worker = startPython('worker.py', ['py_echo'], { ...awsEnvironment(moto.endpoint), PREFIX: prefix, RESULTS_QUEUE_URL: results });
    expect(await worker.ended).toBe(1);
    expect(worker.stderr()).toContain('SendMessage operation: The request must contain the parameter MessageGroupId');
    expect(await depth(sdk, tasks)).toBe(1);
    expect(await depth(sdk, results)).toBe(0);
  });

  it('a body that is no task ends a Python worker', async (test) => {
    const n = await neighbourhood(sqs, test, ['py_echo']);
    const worker = await n.python('py_echo');
    await client.send(new SendMessageCommand({ QueueUrl: n.tasksQueueUrls.get('py_echo'), MessageBody: 'not a task' }));
    expect(await worker.ended).toBe(1);
    expect(worker.stderr()).toContain('JSONDecodeError');
  });
});
