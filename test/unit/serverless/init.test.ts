import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { initCommand } from '../../../src/serverless/commands/init/command.ts';
import { missingInstalls, writeQuickStart } from '../../../src/serverless/init/quick-start.ts';
import { decodeRemoteTask } from '../../../src/wire/remote-task.ts';
import { serviceOf, testContext } from './commands/context.ts';

const FILES = ['serverless.yml', 'handlers/charge-card.ts', 'engine.mts', 'events/charge-card.json'];
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'init-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const read = (path: string) => readFileSync(join(folder, path), 'utf8');

describe('writeQuickStart', () => {
  it("writes README's files as they stand there, and an event of the step", () => {
    expect(writeQuickStart(folder)).toEqual(FILES.map((path) => ({ path, written: true })));
    const readme = readFileSync('README.md', 'utf8');
    for (const path of FILES.slice(0, 3)) expect(readme).toContain(`\n${read(path)}\`\`\``);
    const [record] = JSON.parse(read('events/charge-card.json')).Records;
    expect(record.eventSourceARN).toMatch(/:durable-dev-tasks-payments--charge-card$/);
    expect(decodeRemoteTask(record.body)).toMatchObject({ name: 'payments.charge-card', input: { orderId: 'o-1', amountCents: 1200 } });
  });

  it('writes over no file', () => {
    writeFileSync(join(folder, 'serverless.yml'), 'service: mine\n');
    expect(writeQuickStart(folder).map(({ written }) => written)).toEqual([false, true, true, true]);
    expect(read('serverless.yml')).toBe('service: mine\n');
    expect(writeQuickStart(folder).map(({ written }) => written)).toEqual([false, false, false, false]);
  });
});

describe('missingInstalls', () => {
  it("gives README's commands whose packages are not all there", () => {
    const [runtime, tools] = missingInstalls(folder);
    expect(runtime).toMatch(/^npm install durable-sqs-lambda .*@aws-sdk\/client-sqs/);
    expect(tools).toMatch(/^npm install --save-dev serverless@npm:osls@4 /);
    for (const name of ['durable-sqs-lambda', '@dudousxd/nestjs-durable-core', '@aws-sdk/client-sqs']) {
      mkdirSync(join(folder, 'node_modules', name), { recursive: true });
    }
    expect(missingInstalls(folder)).toEqual([tools]);
  });
});

describe('sls durable init', () => {
  const run = async (options: Readonly<Record<string, unknown>> = {}) => {
    const { context, terminal } = testContext({ service: serviceOf({}), serviceDir: folder, options });
    await initCommand.run(context);
    return terminal.out;
  };

  it('says what it wrote and kept, what to install, and what to run', async () => {
    writeFileSync(join(folder, 'serverless.yml'), 'service: mine\n');
    const out = await run();
    expect(out).toContain('kept   serverless.yml, which was there\nwrote  handlers/charge-card.ts\n');
    expect(out).toContain('serverless.yml names no handler "handlers/charge-card.handler": add the function');
    expect(out).toContain('  npm install --save-dev serverless@npm:osls@4');
    expect(out).toContain('  npx sls invoke local -f chargeCard -p events/charge-card.json\n');
  });

  it('says that there is nothing to write where it has run before, and gives no advice on the service', async () => {
    await run();
    const out = await run();
    expect(out).toContain('kept   serverless.yml, which was there\n');
    expect(out).toContain('nothing to write: all files of the quick start are there\n');
    expect(out).not.toContain('names no handler');
  });

  it('prints the files as JSON with --json', async () => {
    expect(JSON.parse(await run({ json: true })).files).toEqual(FILES.map((path) => ({ path, written: true })));
  });
});
