import { rmSync } from 'node:fs';
import { SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeRemoteTask } from '../../../src/wire/remote-task.ts';
import { type LocalRun, makeService, startLocal } from './local-service.ts';

const SERVICE = `service: crash-test
plugins: [serverless-esbuild, durable-sqs-lambda/serverless-plugin]
custom:
  durable: { prefix: crash }
  esbuild: { format: esm, outputFileExtension: .mjs }
provider: { name: aws, region: eu-central-1, runtime: nodejs24.x, timeout: 3 }
functions:
  steady: { handler: steady.handler, events: [{ durableStep: steady }] }
  frail: { handler: frail.handler, memorySize: 128, timeout: 2, events: [{ durableStep: frail }] }
  plain: { handler: plain.handler, events: [{ durableStep: plain }] }
  renamed: { handler: renamed.handler, events: [{ durableStep: reamed }] }
`;

/** Does at its first delivery what its input says, and is well at the next. */
const FRAIL = `import { sqsStepHandler } from 'durable-sqs-lambda/worker';
const forget = async () => { throw new Error('nobody awaited this'); };
export const handler = sqsStepHandler('frail', async ({ how }: { how: string }, step) => {
  if (step.receiveCount > 1) return 'well';
  if (how === 'exit') process.exit(0);
  if (how === 'loop') for (;;);
  if (how === 'memory') { const all: unknown[] = []; for (;;) all.push(new Array(100_000).fill(all.length)); }
  if (how === 'forgotten') void forget();
  if (how === 'after') setTimeout(forget, 100);
  if (how === 'throw') throw Object.assign(new Error('declined'), { code: 'card_declined' });
  if (how === 'forgotten') await new Promise((resolve) => setTimeout(resolve, 1_000));
  return 'well';
}, { deadlineReserveMs: 100 });
`;

const service = makeService('crashes', {
  'serverless.yml': SERVICE,
  'steady.ts':
    "import { sqsStepHandler } from 'durable-sqs-lambda/worker';\nexport const handler = sqsStepHandler('steady', async () => process.pid);\n",
  'frail.ts': FRAIL,
  'plain.ts': 'export const handler = async () => ({ statusCode: 200 });\n',
  'renamed.ts':
    "import { sqsStepHandler } from 'durable-sqs-lambda/worker';\nexport const handler = sqsStepHandler('renamed', async () => 1);\n",
});

let local: LocalRun;
let client: SQSClient;
let queues: Record<string, string>;

beforeAll(async () => {
  local = startLocal(service.dir, ['--port', '0', '--visibility-timeout', '2']);
  const { endpoint, queues: urls }: { endpoint?: unknown; queues?: unknown } = await local.event({ event: 'ready' });
  queues = Object(urls);
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  client = new SQSClient({ endpoint: String(endpoint), region: 'eu-central-1', credentials });
});
afterAll(async () => {
  client?.destroy();
  if (local.child.exitCode === null) await local.stop();
  rmSync(service.dir, { recursive: true, force: true });
});

let runs = 0;
/** Sends tasks of a step; gives where the output stood before. */
async function send(step: string, ...inputs: readonly object[]): Promise<number> {
  const before = local.events.length;
  const Entries = inputs.map((input, index) => {
    runs += 1;
    const task = { runId: `run-${runs}`, seq: 0, name: step, stepId: `run-${runs}:0`, group: step, input, attempt: 1 };
    return { Id: String(index), MessageBody: encodeRemoteTask(task) };
  });
  await client.send(new SendMessageBatchCommand({ QueueUrl: queues[`crash-tasks-${step}`], Entries }));
  return before;
}
const outcomes = (event: Record<string, unknown>) => {
  const { steps }: { steps?: unknown } = event;
  return Array.isArray(steps) ? steps.map(({ outcome }: { outcome: string }) => outcome) : [];
};

describe('sls durable local, a function that dies', () => {
  it.each([
    ['process.exit', 'exit', 'its process exited with code 0: a handler must return, not call process.exit'],
    ['an endless loop', 'loop', 'the handler took longer than 2000 ms'],
    ['out of memory', 'memory', 'its process was aborted: out of memory? (memorySize: 128 MB)'],
    ['a forgotten await', 'forgotten', 'unhandled rejection: Error: nobody awaited this'],
  ])('redelivers the batch after %s, and names the reason', async (_what, how, reason) => {
    const before = await send('frail', { how });
    const died = await local.event({ event: 'invoked', function: 'frail', source: 'frail', reason }, before);
    expect(died).toMatchObject({ records: 1, deleted: 0, failed: 1 });
    expect(outcomes(died)).toEqual(['redelivered']);
    if (how === 'forgotten') expect(local.stderr()).toMatch(/Error: nobody awaited this\n +at forget \(.*frail\.ts:2:/);
    const well = await local.event({ event: 'invoked', function: 'frail', outcome: 'success' }, before);
    expect(outcomes(well)).toEqual(['ok']);
  });

  it('goes on with the other functions meanwhile', async () => {
    const before = await send('frail', { how: 'loop' });
    await send('steady', {}, {});
    await local.event({ event: 'invoked', function: 'frail', outcome: 'timeout' }, before);
    const events = local.events.slice(before);
    const at = (wanted: (event: Record<string, unknown>) => boolean) => events.findIndex(wanted);
    expect(at(({ function: key }) => key === 'steady')).toBeLessThan(at(({ function: key }) => key === 'frail'));
    expect(at(({ function: key }) => key === 'steady')).toBeGreaterThanOrEqual(0);
    await local.event({ event: 'invoked', function: 'frail', outcome: 'success' }, before);
  });

  it('names a process that ends between two invocations, and starts another for the next', async () => {
    const before = await send('frail', { how: 'after' });
    expect(await local.event({ event: 'exited', function: 'frail' }, before)).toMatchObject({
      reason: 'unhandled rejection: Error: nobody awaited this',
    });
    const next = await send('frail', { how: 'well' });
    expect(outcomes(await local.event({ event: 'invoked', function: 'frail', outcome: 'success' }, next))).toEqual(['ok']);
  });
});

describe('sls durable local, what became of each step', () => {
  it('names failures by their code', async () => {
    const before = await send('frail', { how: 'throw' });
    const { steps } = await local.event({ event: 'invoked', function: 'frail', outcome: 'success' }, before);
    expect(steps).toMatchObject([{ outcome: 'failed', code: 'card_declined', message: 'declined' }]);
  });

  it('tells of a plain function at load, and that its answer sends no result', async () => {
    const { problem } = await local.event({ event: 'mismatch', function: 'plain' });
    expect(problem).toContain("its handler is not that of sqsStepHandler('plain', …), or is wrapped");
    const before = await send('plain', {});
    const invoked = await local.event({ event: 'invoked', function: 'plain' }, before);
    expect(invoked).toMatchObject({ deleted: 1, reason: 'the response has no batchItemFailures, which Lambda counts as a full success' });
    expect(outcomes(invoked)).toEqual(['no result']);
  });

  it('tells of a step under another name than in serverless.yml at load', async () => {
    const problems = ['maps "reamed" to it, and its handler serves "renamed"', 'serves "renamed", which serverless.yml does not map'];
    await local.event({ event: 'mismatch', function: 'renamed' });
    const told = local.events.filter(({ event, function: key }) => event === 'mismatch' && key === 'renamed');
    for (const [index, problem] of problems.entries()) expect(told[index]?.['problem']).toContain(problem);
  });
});

describe('sls durable local, an edit', () => {
  it('runs new code within a second, in a new process', async () => {
    const before = local.events.length;
    const startedAt = performance.now();
    service.write('plain.ts', 'export const handler = async () => ({ batchItemFailures: [] });\n');
    await local.event({ event: 'reloaded', function: 'plain' }, before);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });

  it('tells of a change of serverless.yml', async () => {
    const before = local.events.length;
    service.write('serverless.yml', `${SERVICE}# changed\n`);
    expect(await local.event({ event: 'config-changed' }, before)).toMatchObject({ file: 'serverless.yml' });
  });
});
