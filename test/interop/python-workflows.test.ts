import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { sqsStepHandler } from '../../src/index.ts';
import { LocalEventSourceMapping, type SqsLambdaHandler } from '../../src/local/index.ts';
import { sqsWorkflowHandler, type WorkflowContext } from '../../src/workflow/index.ts';
import { until } from '../integration/local/queues.ts';
import { capturingLogger } from '../support/capturing-logger.ts';
import { startTestSqs, type TestSqs } from '../support/sqs-server.ts';
import { neighbourhood } from './neighbourhood.ts';
import { requirePython } from './python.ts';

let sqs: TestSqs;

beforeAll(async () => {
  requirePython();
  sqs = await startTestSqs();
});

afterAll(() => sqs?.stop());

const STEPS = ['payments.charge-card', 'payments.decline', 'double'];
const WORKFLOWS = ['py_checkout', 'ts_checkout', 'parent', 'py_child', 'ts_child', 'shared', 'clock'];

type Workflow = (ctx: WorkflowContext, input: never) => unknown;

/** An engine, the steps on Lambda, and workers of workflows: Python's, and ours. */
async function workers(test: TestContext) {
  const n = await neighbourhood(sqs, test, [...STEPS, ...WORKFLOWS, 'py_echo']);
  for (const name of WORKFLOWS) n.engine.remote(name, { group: name });
  const options = { clientConfig: sqs.clientConfig, resultsQueueUrl: n.resultsQueueUrl, logger: capturingLogger() };
  const map = (name: string, handler: SqsLambdaHandler) => {
    const mapping = new LocalEventSourceMapping({
      clientConfig: sqs.clientConfig,
      queueUrl: n.tasksQueueUrls.get(name) ?? '',
      functionName: name,
      handler,
      // So that some are left for Python, whatever the timing.
      maximumConcurrency: 2,
      timeoutMs: 30_000,
      logger: capturingLogger(),
    });
    test.onTestFinished(() => mapping.stop());
    mapping.start();
  };
  const steps = sqsStepHandler(
    {
      'payments.charge-card': async (order: unknown) => ({ by: 'lambda', order }),
      'payments.decline': async () => {
        throw Object.assign(new Error('declined'), { code: 'card_declined', retryable: false });
      },
      double: async (number: number) => number * 2,
    },
    options,
  );
  for (const step of STEPS) map(step, steps);
  return {
    ...n,
    pythonWorkflow: (name: string, args: readonly string[] = [], onLine?: (line: unknown) => void) =>
      n.python(name, args, {}, onLine, 'workflows.py'),
    lambdaWorkflow: (name: string, workflow: Workflow) =>
      map(name, sqsWorkflowHandler<Record<string, never>>({ [name]: { 1: workflow } }, options)),
    async run(workflow: string, input: unknown, runId: string) {
      await n.engine.start(workflow, input, runId);
      return n.engine.waitForRun(runId, { until: 'terminal', timeoutMs: 60_000 });
    },
  };
}

const ORDER = { id: 'o-1', text: 'naïve 日本 😀', cents: 1_200 };
const DECLINED = { message: 'declined', code: 'card_declined' };

describe('workflows in Python and on Lambda', () => {
  it('a Python workflow calls steps on Lambda, sleeps, and gets the failure of a step with its code', async (test) => {
    const w = await workers(test);
    await w.pythonWorkflow('py_checkout');
    expect(await w.run('py_checkout', ORDER, 'r1')).toMatchObject({
      status: 'completed',
      output: { by: 'python', token: 'made once', charge: { by: 'lambda', order: ORDER }, declined: DECLINED },
    });
    await w.drained();
  });

  it('a workflow on Lambda calls a step in Python', async (test) => {
    const w = await workers(test);
    await w.python('py_echo');
    w.lambdaWorkflow('ts_checkout', (ctx, order) => ctx.step('py_echo', order));
    expect(await w.run('ts_checkout', ORDER, 'r1')).toMatchObject({ status: 'completed', output: { by: 'python', input: ORDER } });
    await w.drained();
  });

  it('a Python workflow starts a child on Lambda, and a workflow on Lambda one in Python', async (test) => {
    const w = await workers(test);
    await w.pythonWorkflow('parent');
    w.lambdaWorkflow('ts_child', async (_ctx, order) => ({ by: 'lambda', order }));
    expect(await w.run('parent', ORDER, 'r1')).toMatchObject({ output: { by: 'python', child: { by: 'lambda', order: ORDER } } });

    await w.pythonWorkflow('py_child');
    w.lambdaWorkflow('ts_checkout', (ctx, order) => ctx.child('py_child', order));
    expect(await w.run('ts_checkout', ORDER, 'r2')).toMatchObject({ output: { by: 'python', order: ORDER } });
    await w.drained();
  });

  it('both serve one workflow: each replays the history that the other has made', async (test) => {
    const w = await workers(test);
    const folder = await mkdtemp(join(tmpdir(), 'interop-'));
    test.onTestFinished(() => rm(folder, { recursive: true }));
    const gate = join(folder, 'open');

    // Each waits for the other's first turn: one alone could take them all before the other has woken up.
    const pythonHasOne = Promise.withResolvers<void>();
    const python = await w.pythonWorkflow('shared', [gate], (line) => {
      if (typeof line === 'object' && line !== null && 'turn' in line) pythonHasOne.resolve();
    });
    const onLambda: string[] = [];
    w.lambdaWorkflow('shared', async (ctx, number) => {
      onLambda.push(ctx.runId);
      await writeFile(gate, '');
      await pythonHasOne.promise;
      let value = await ctx.sideEffect<number>(() => number);
      for (let call = 0; call < 3; call += 1) value = await ctx.step<number>('double', value);
      return value;
    });

    const runs = await Promise.all(Array.from({ length: 50 }, (_, index) => w.run('shared', index, `r${index}`)));
    expect(runs.map(({ status, output, error }) => ({ status, output, error }))).toEqual(
      runs.map((_, index) => ({ status: 'completed', output: index * 8, error: undefined })),
    );
    const inPython = python.lines.flatMap((line) => (typeof line === 'object' && line !== null && 'turn' in line ? [line.turn] : []));
    expect(inPython.some((runId) => onLambda.includes(String(runId)))).toBe(true);
    await w.drained();
  });
});

describe('known limits', () => {
  it('a time that Python has read is no time of ours: it is recorded under another name', async (test) => {
    const w = await workers(test);
    const python = await w.pythonWorkflow('clock');
    await w.engine.start('clock', null, 'r1');
    await until(() => expect(python.lines).toContainEqual({ turn: 'r1', history: 0 }));
    await until(async () => expect((await w.engine.getRun('r1'))?.status).toBe('suspended'));
    await until(async () => expect(await w.store.listCheckpoints('r1')).toHaveLength(1));
    await python.stop();
    w.lambdaWorkflow('clock', async (ctx) => {
      const at = await ctx.now();
      await ctx.waitForSignal('clock-go');
      return at;
    });
    await w.engine.signal('clock-go', null);
    const run = await w.engine.waitForRun('r1', { until: 'terminal', timeoutMs: 60_000 });
    expect(run).toMatchObject({ status: 'failed', error: { code: 'nondeterminism' } });
    for (const part of ['step/"now"', 'step/"now#0"']) expect(run.error?.message).toContain(part);
  });
});
