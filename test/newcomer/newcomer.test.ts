import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { commandsIn, fileIn, guideBlocks, readmeBlocks, userProject } from '../support/user-project.ts';
import { type LocalService, startLocalService } from './local-service.ts';

/**
 * A newcomer: from an empty folder, by the words of README alone, to a run that completes on a laptop; then the
 * mistakes that newcomers make, each with the message that it must give.
 */
const project = userProject('newcomer');
const { tarball, write, read, run, shell, remove } = project;
const SERVICE = 'serverless.yml';
const HANDLER = 'handlers/charge-card.ts';
let files: Readonly<Record<string, string>> = {};

beforeAll(() => {
  shell('npm init --yes');
  const installs = commandsIn(readmeBlocks('## In your project')).filter((command) => command.startsWith('npm install'));
  for (const command of installs) shell(command.replace(/ durable-sqs-lambda\b/, ` --prefer-offline ${tarball}`));
  expect(shell('npx durable-sqs-lambda init')).toContain('wrote  handlers/charge-card.ts');
  write('handlers/dead-letters.ts', fileIn(guideBlocks('dead-letters.md'), 'handlers/dead-letters.ts'));
  files = { [SERVICE]: read(SERVICE), [HANDLER]: read(HANDLER) };
});

/** Puts right what the test before has put wrong. */
afterEach(() => {
  for (const [path, text] of Object.entries(files)) if (read(path) !== text) write(path, text);
});
afterAll(remove);

function edit(path: string, from: string | RegExp, to: string): void {
  const text = read(path).replace(from, to);
  if (text === read(path)) throw new Error(`expected ${path} to hold ${from}`);
  write(path, text);
}

describe('a mistake in serverless.yml', () => {
  it.each<[mistake: string, from: string | RegExp, to: string, message: string]>([
    ['an event that is mistyped', 'durableStep:', 'durableStpe:', '.durableStpe: expected durableStep, got an event that nobody knows'],
    ['an event without a value', 'durableStep: payments.charge-card', 'durableStep:', '.durableStep: expected the name of a step'],
    ['events that are no list', '- durableStep', 'durableStep', 'functions.chargeCard.events: expected a list, got an object'],
    ['a section that is mistyped', 'durable: {', 'durabel: {', 'custom.durabel: expected custom.durable, got a key that nothing reads'],
    ['a setting that is mistyped', '{ prefix:', '{ prefx:', 'custom.durable.prefx: unknown key, expected one of prefix,'],
    ['a prefix that AWS refuses', "'durable-", "'durable.", 'expected prefix to be one or more of A-Z a-z 0-9 _ -'],
    ['a runtime that is too old', 'nodejs24.x', 'nodejs20.x', '.runtime: expected nodejs22.x or later, got "nodejs20.x"'],
    [
      'the plugin in front of the bundler',
      /( {2}- serverless-esbuild\n)(.*\n)/,
      '$2$1',
      'plugins: expected serverless-esbuild before durable-sqs-lambda/serverless-plugin',
    ],
    ['a batch without a window', 'durableStep: payments.charge-card', 'durableStep: { name: a, batchSize: 50 }', 'add batchWindow: 1'],
    [
      'a step that a container serves, too',
      /' \}\n/,
      "', containerSteps: [payments.charge-card] }\n",
      'custom.durable.containerSteps[0]: expected each step once',
    ],
    [
      'a handler whose file is not there',
      'charge-card.handler',
      'charge-crad.handler',
      'functions.chargeCard.handler: expected a file handlers/charge-crad{.ts,',
    ],
    ['a handler whose export is not there', 'card.handler', 'card.handlr', 'expected an export "handlr" that is a function'],
  ])('%s is refused by sls package', (_mistake, from, to, message) => {
    edit(SERVICE, from, to);
    const { status, output } = run('npx sls package');
    expect(output).toContain(message);
    expect(status).toBe(1);
  });
});

describe('a mistake in a handler', () => {
  it('an option that is mistyped is refused by sls package', () => {
    edit(HANDLER, /\}\);\n$/, '}, { concurency: 2 });\n');
    expect(run('npx sls package').output).toContain('unknown option "concurency", expected one of around,');
  });

  it('a workflow without the peer that replays it gets the command that installs it', () => {
    edit(SERVICE, /$/, '  checkout:\n    handler: handlers/checkout.handler\n    events:\n      - durableWorkflow: checkout\n');
    write('handlers/checkout.ts', fileIn(guideBlocks('workflows.md'), 'handlers/checkout.ts'));
    const { status, output } = run('npx sls package');
    expect(output).toContain('which is not installed: npm install @dudousxd/durable-worker');
    expect(status).toBe(1);
  });

  it('module.exports in an ES module is refused by sls package, with what to do', () => {
    write(HANDLER, "module.exports.handler = require('durable-sqs-lambda/worker').sqsStepHandler('payments.charge-card', () => 1);\n");
    expect(run('npx sls package').output).toContain('a handler written with module.exports needs format: cjs');
  });
});

describe('a mistake on the command line', () => {
  it('the input of a step in place of an event gets the command that makes one', () => {
    const { status, output } = run(`npx sls invoke local -f chargeCard -d '{"orderId":"o-1"}'`);
    expect(output).toContain('serverless durable event --step payments.charge-card');
    expect(status).toBe(1);
  });

  it('a step that is mistyped gets the names of those that there are', () => {
    const { output } = run("npx sls durable event --step payments.charge-crad --input '{}'");
    expect(output).toContain('no step or workflow "payments.charge-crad" in this service; it has payments.charge-card');
  });

  it('--local without a local service is told to start one', () => {
    expect(run('npx sls durable queues --local').output).toContain('"sls durable local" does not run: start it in another shell');
  });

  it('an engine without a region says so', () => {
    edit('engine.mts', /, clientConfig: \{.*?\} \}/, ' }');
    const env = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 's', AWS_CONFIG_FILE: '/dev/null' };
    expect(run('timeout 20 node engine.mts', env).output).toContain('Region is missing');
    shell('rm engine.mts && npx durable-sqs-lambda init');
  });
});

describe('the service on a laptop', () => {
  let local: LocalService;

  beforeAll(async () => {
    local = await startLocalService(project);
  });
  afterAll(() => local?.stop());

  /** README's engine, until its run has ended. */
  function engine(change: (code: string) => string = (code) => code): string {
    write(
      'engine-now.mts',
      `${change(read('engine.mts')).replace('.then(console.log, console.error)', '.then(shown, shown)')}
function shown(run: unknown) { console.log(run); process.exit(0); }\n`,
    );
    return run('node engine-now.mts', local.environment()).output;
  }

  it("README's engine completes its run", async () => {
    expect(engine()).toContain("status: 'completed'");
    await local.says('chargeCard  payments.charge-card  1 record');
  });

  it('a wrong prefix is named on the first line, and the queue that is meant', () => {
    const output = engine((code) => code.replace('durable-dev', 'durable-prod'));
    expect(output).toMatch(/message: 'no SQS queue .*: nothing of the prefix "durable-prod" is there: compare prefix and region/);
    expect(output).toContain('Is "durable-dev-tasks-payments--charge-card" meant?');
  });

  it('a step that is not in serverless.yml is named on the first line, and the nearest one', () => {
    const output = engine((code) => code.replace("'payments.charge-card'", "'payments.charge-crad'"));
    expect(output).toMatch(/message: 'no SQS queue .*: queues of the prefix "durable-dev" are there, but none of this step/);
    expect(output).toContain('Is "durable-dev-tasks-payments--charge-card" meant?');
  });

  it('a prefix that is not given comes from the environment', () => {
    expect(engine((code) => code.replace("prefix: 'durable-dev', ", ''))).toContain("status: 'completed'");
  });

  it('a port that is in use is told of', () => {
    const port = new URL(local.environment()['AWS_ENDPOINT_URL_SQS'] ?? '').port;
    expect(run(`npx sls durable local --port ${port}`).output).toContain(
      'Another program uses the port: end it, or choose another with --port',
    );
  });

  it.each<[mistake: string, from: string | RegExp, to: string, message: string | RegExp]>([
    [
      'a step under another name',
      "'payments.charge-card'",
      "'payments.charge'",
      'its handler serves "payments.charge": those tasks fail with no_handler',
    ],
    [
      'a plain function',
      /sqsStepHandler\([\s\S]*$/,
      'async () => undefined;\n',
      "its handler is not that of sqsStepHandler('payments.charge-card', …)",
    ],
    [
      'code that does not build',
      'interface ChargeInput',
      'interfac ChargeInput',
      'does not load; the last version that loaded stays in use',
    ],
  ])('%s is told of when it is saved', async (_mistake, from, to, message) => {
    const before = local.output().length;
    edit(HANDLER, from, to);
    await local.says(message, before);
  });

  it('a promise that nobody awaits ends the process, and the line of its invocation says so', async () => {
    const before = local.output().length;
    edit(
      HANDLER,
      '  const idempotencyKey',
      "  void Promise.reject(new Error('nobody awaits this'));\n  await new Promise((resolve) => setTimeout(resolve, 50));\n  const idempotencyKey",
    );
    await local.says('chargeCard  reloaded', before);
    write('engine-once.mts', read('engine.mts'));
    run('timeout 4 node engine-once.mts', local.environment());
    await local.says(/chargeCard {2}payments\.charge-card.*unhandled rejection: Error: nobody awaits this/, before);
  });

  it('a change of serverless.yml is told of', async () => {
    const before = local.output().length;
    edit(SERVICE, 'timeout: 30', 'timeout: 20');
    await local.says('serverless.yml has changed: this service runs by what it said before', before);
  });
});
