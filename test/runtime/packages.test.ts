import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unzip } from '../../src/serverless/bundles/zip.ts';
import { packaged, type Run, root, sls } from '../deploy/sls.ts';
import { requireRuntime, startLambda } from '../support/runtime-api.ts';
import { eventOf, recordOf, taskFor } from '../support/sqs-records.ts';
import { type StubSqs, startStubSqs } from '../support/stub-sqs.ts';

const service = join(root, 'test/runtime/packages');
const installed = join(service, 'node_modules/durable-sqs-lambda');
const names = readdirSync(join(service, 'handlers'))
  .map((file) => file.replace('.js', ''))
  .filter((name) => name !== 'prisma');
const nodes = [
  ['24', process.execPath],
  ['22', join(service, 'node_modules/node/bin/node')],
] as const;

let run: Run;
let sqs: StubSqs;
const tasks = mkdtempSync(join(tmpdir(), 'packages-'));

beforeAll(async () => {
  await requireRuntime();
  // As installed; the service's own package.json keeps it from finding this package by its name.
  if (!existsSync(installed)) symlinkSync(root, installed, 'junction');
  sqs = await startStubSqs();
  run = await packaged(service);
});
afterAll(async () => {
  await sqs?.stop();
  rmSync(tasks, { recursive: true, force: true });
});

describe('handlers that import the packages of real handlers', () => {
  it('package by the settings of README, each loaded first', () => {
    expect(run).toMatchObject({ code: 0 });
    expect(names.length).toBeGreaterThan(10);
  });

  describe.each(nodes)('run under the runtime loop of AWS on Node %s', (_version, node) => {
    it.each(names)('%s runs from its archive', async (name) => {
      const taskRoot = join(tasks, name);
      unzip(join(service, '.serverless', `${name}.zip`), taskRoot);
      const lambda = await startLambda({
        taskRoot,
        handler: `handlers/${name}.handler`,
        node,
        env: { DURABLE_RESULTS_QUEUE_URL: sqs.queueUrl },
      });
      try {
        const sent = sqs.requests.length;
        const end = await lambda.invoke(eventOf(recordOf(taskFor({ name }))));
        expect(end, lambda.output()).toEqual({ kind: 'response', payload: { batchItemFailures: [] } });
        expect(JSON.stringify(sqs.requests.slice(sent))).toContain('\\"output\\":{\\"works\\":true}');
      } finally {
        await lambda.stop();
      }
    });
  });
});

describe('sls package of a handler with a package that is not complete', () => {
  it('refuses a Prisma client that was not generated, with where it failed and what to do', async () => {
    const refused = await sls(service, ['package', '--config', 'serverless.prisma.yml', '--package', '.serverless-prisma']);
    expect(refused.code).toBe(1);
    const output = refused.stdout + refused.stderr;
    expect(output).toContain('functions.prisma does not load as Lambda loads it:');
    expect(output).toContain('.prisma/client/default.js');
    expect(output).toContain("of a client that is generated (Prisma's), generate it first");
  });
});
