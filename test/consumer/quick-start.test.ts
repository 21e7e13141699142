import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandsIn, readmeBlocks, root, userProject } from '../support/user-project.ts';

/**
 * What a stranger does: an empty project, the packed tarball in place of the published package, and the README's
 * section "In your project" copied word by word: its files (a block whose first line names one) and its commands, in
 * their order.
 */
const { folder: project, tarball, write, shell, remove } = userProject('consumer');
const blocks = readmeBlocks('## In your project');
const outputs = new Map<string, string>();

beforeAll(() => {
  shell('npm init --yes');
  for (const { path, language, code } of blocks) if (path !== undefined && language !== 'sh') write(path, code);
  for (const command of commandsIn(blocks)) {
    // It is not published yet, and deploying needs an account.
    if (command.includes('sls deploy')) continue;
    outputs.set(command, shell(command.replace(/(npm install.*) durable-sqs-lambda\b/, `$1 ${tarball}`)));
  }
}, 300_000);

afterAll(remove);

function outputOf(part: string): string {
  const found = [...outputs].find(([command]) => command.includes(part));
  if (found === undefined) throw new Error(`expected a command with "${part}" in the README, got ${[...outputs.keys()].join(' | ')}`);
  return found[1];
}

describe('the quick start of the README, in an empty project', () => {
  it('packages: one line of serverless.yml gives the queues, the mapping and the rights', () => {
    outputOf('sls package');
    const template: { Resources: Record<string, { Type: string; Properties: Record<string, unknown> }> } = JSON.parse(
      readFileSync(join(project, '.serverless/cloudformation-template-update-stack.json'), 'utf8'),
    );
    const resources = Object.values(template.Resources);
    const queueNames = resources.filter(({ Type }) => Type === 'AWS::SQS::Queue').map(({ Properties }) => Properties['QueueName']);
    expect(queueNames).toEqual(
      expect.arrayContaining([
        'durable-dev-tasks-payments--charge-card',
        'durable-dev-dead-letters-payments--charge-card',
        'durable-dev-results',
      ]),
    );
    const [mapping] = resources.filter(({ Type }) => Type === 'AWS::Lambda::EventSourceMapping');
    expect(mapping?.Properties['FunctionResponseTypes']).toEqual(['ReportBatchItemFailures']);
  });

  it('replays an event: the result is printed, nothing is sent', () => {
    const output = outputOf('sls invoke local');
    expect(output).toContain('"status":"completed"');
    expect(output).toContain('"batchItemFailures": []');
  });
});

describe.each([
  ['an ES module', 'module'],
  ['CommonJS', 'commonjs'],
])('the types, from %s', (_what, type) => {
  it('cover every entry and the code of the README', () => {
    const folder = join(project, type);
    mkdirSync(folder);
    const copied = blocks.flatMap(({ language, code }) => (language === 'ts' ? [code] : []));
    expect(copied.length).toBeGreaterThan(0);
    for (const [index, code] of copied.entries()) writeFileSync(join(folder, `readme-${index}.ts`), code);
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type }));
    writeFileSync(
      join(folder, 'uses.ts'),
      `import * as all from 'durable-sqs-lambda';
import { SqsTransport } from 'durable-sqs-lambda/engine';
import { leanCore } from 'durable-sqs-lambda/esbuild-plugin';
import { runStep, startLocalSqs } from 'durable-sqs-lambda/local';
import { type LambdaStepContext, sqsStepHandler } from 'durable-sqs-lambda/worker';
import type { Plugin } from 'esbuild';

const handler = sqsStepHandler('a', async (input: { id: string }, step: LambdaStepContext) => ({ id: input.id, left: step.remainingTimeMs() }));
export const result: Promise<all.StepResult> = runStep(handler, { id: 'x' });
export const transport: all.SqsTransport = new SqsTransport({ autoCreate: true });
export const sqs: typeof startLocalSqs = startLocalSqs;
export const plugin: Plugin = leanCore();
// @ts-expect-error: a typo is refused
new SqsTransport({ autoCreat: true });
`,
    );
    const compilerOptions = {
      module: 'nodenext',
      target: 'es2023',
      strict: true,
      noEmit: true,
      types: ['node'],
      typeRoots: [join(root, 'node_modules/@types')],
      skipLibCheck: false,
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
    const tsc = join(root, 'node_modules/.bin/tsc');
    const { stdout } = spawnSync(tsc, ['-p', folder], { encoding: 'utf8' });
    expect(errorsOutsideOfOthers(stdout)).toEqual([]);
  });

  it('hold no copy of esbuild’s, which would fit that one release of it', () => {
    const declaration = type === 'module' ? 'esm/esbuild-plugin.d.mts' : 'cjs/esbuild-plugin.d.cts';
    const dist = join(project, 'node_modules/durable-sqs-lambda/dist');
    expect(readFileSync(join(dist, declaration), 'utf8')).not.toContain('interface BuildOptions');
  });

  it('fit what runs', () => {
    const code =
      type === 'module'
        ? `import('durable-sqs-lambda').then((all) => console.log(typeof all.SqsTransport, typeof all.sqsStepHandler))`
        : `const all = require('durable-sqs-lambda'); console.log(typeof all.SqsTransport, typeof all.sqsStepHandler)`;
    const file = join(project, type, type === 'module' ? 'run.mjs' : 'run.cjs');
    writeFileSync(file, code);
    expect(shell(`node ${file}`)).toContain('function function');
  });
});

/** Errors in our declarations or in the user's code; those of other packages' own declarations are theirs. */
function errorsOutsideOfOthers(stdout: string): string[] {
  return stdout
    .split('\n')
    .filter((line) => line.includes('error TS') && !(line.includes('node_modules/') && !line.includes('/durable-sqs-lambda/')));
}
