import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fileIn, guideBlocks, readmeBlocks, userProject } from '../support/user-project.ts';

/**
 * An ordinary Nest 11 project as `nest new` makes it, `module: commonjs`, with the files of README and the guides, and
 * handlers beside `src`.
 */
const project = userProject('nest');
const { write, shell, run, remove } = project;
const nestPage = guideBlocks('nestjs.md');

const COMPILER = {
  module: 'commonjs',
  declaration: true,
  removeComments: true,
  emitDecoratorMetadata: true,
  experimentalDecorators: true,
  allowSyntheticDefaultImports: true,
  target: 'ES2023',
  sourceMap: true,
  outDir: './dist',
  baseUrl: './',
  incremental: true,
  skipLibCheck: true,
  strictNullChecks: true,
};
const NEST = '@nestjs/common@11 @nestjs/core@11 @nestjs/platform-express@11 reflect-metadata@0.2 rxjs@7';
const DURABLE = '@dudousxd/nestjs-durable-core @dudousxd/nestjs-durable @dudousxd/durable-worker @aws-sdk/client-sqs';
const TOOLS = '@nestjs/cli@11 typescript@5 jest@29 ts-jest@29 @types/jest@29 @types/node@24 vitest@3 fauxqs';

beforeAll(() => {
  write('package.json', JSON.stringify({ name: 'shop', private: true, scripts: { build: 'nest build', 'start:prod': 'node dist/main' } }));
  shell(`npm install --no-audit --no-fund --prefer-offline ${project.tarball} ${NEST} ${DURABLE} ${TOOLS}`);
  write('tsconfig.json', JSON.stringify({ compilerOptions: COMPILER }));
  write('tsconfig.build.json', nestPage.find(({ language }) => language === 'json')?.code ?? '');
  write('nest-cli.json', JSON.stringify({ collection: '@nestjs/schematics', sourceRoot: 'src', compilerOptions: { deleteOutDir: true } }));
  write('src/app.module.ts', nestPage.find(({ language }) => language === 'typescript')?.code ?? '');
  write('src/payments.steps.ts', STEPS);
  write('src/checkout.workflow.ts', WORKFLOW);
  write('src/main.ts', MAIN);
  write('handlers/charge-card.ts', fileIn(readmeBlocks(), 'handlers/charge-card.ts'));
  write('engine.mts', fileIn(readmeBlocks(), 'engine.mts'));
  write('worker.mts', fileIn(guideBlocks('containers.md'), 'worker.mts'));
  write('all-entries.ts', ENTRIES);
  for (const name of ['charge-card', 'checkout']) {
    // In CommonJS a file has no ending where it is imported.
    const test = fileIn(guideBlocks('testing.md'), `${name}.test.ts`).replace('charge-card.js', 'charge-card');
    write(`${name}.vitest.ts`, test);
    write(`${name}.spec.ts`, test.replace("'vitest'", "'@jest/globals'"));
  }
  write(
    'jest.config.js',
    `module.exports = { testRegex: '\\\\.spec\\\\.ts$', transform: { '\\\\.ts$': ['ts-jest', { isolatedModules: true }] }, testEnvironment: 'node' };\n`,
  );
}, 300_000);

afterAll(remove);

describe('a Nest 11 project with module: commonjs', () => {
  it('finds the types of every entry, and compiles the code of README', () => {
    expect(run('npx tsc --noEmit -p .')).toEqual({ status: 0, output: '' });
  });

  it('builds by nest build with handlers beside src, and starts by start:prod', () => {
    shell('npm run build');
    const env = {
      AWS_ENDPOINT_URL_SQS: 'http://127.0.0.1:1',
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: 'a',
      AWS_SECRET_ACCESS_KEY: 's',
    };
    const { status, output } = run('npm run start:prod', env);
    expect(output).toContain('the app listens');
    expect(status).toBe(0);
  });

  it("runs the guide's test of a step under Jest without a flag", () => {
    expect(shell('npx jest charge-card')).toContain('Tests:       1 passed');
  });

  it('runs a workflow through the embedded SQS under Jest with the flag that the guide names', () => {
    expect(run('npx jest checkout', { NODE_OPTIONS: '--experimental-vm-modules' }).output).toContain('Tests:       1 passed');
  });

  it('runs both under Vitest', () => {
    write('vitest.config.mts', `export default { test: { include: ['*.vitest.ts'] } };\n`);
    expect(shell('npx vitest run')).toMatch(/Tests +2 passed/);
  });
});

const STEPS = `import { Step } from '@dudousxd/nestjs-durable';
import { Injectable } from '@nestjs/common';

export interface Charge {
  orderId: string;
  amountCents: number;
}

@Injectable()
export class PaymentsSteps {
  @Step('payments.charge-card')
  async chargeCard(_charge: Charge): Promise<{ chargeId: string }> {
    throw new Error('runs on Lambda');
  }
}
`;

const WORKFLOW = `import { Workflow } from '@dudousxd/nestjs-durable';
import type { WorkflowCtx } from '@dudousxd/nestjs-durable-core';
import { type Charge, PaymentsSteps } from './payments.steps';

@Workflow({ name: 'checkout', version: '1' })
export class CheckoutWorkflow {
  constructor(private readonly payments: PaymentsSteps) {}

  async run(ctx: WorkflowCtx, input: Charge) {
    return (await ctx.step(this.payments.chargeCard, input)).chargeId;
  }
}
`;

const MAIN = `import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module';

async function main() {
  const app = await NestFactory.create(AppModule, { logger: false });
  await app.listen(0, '127.0.0.1');
  console.log('the app listens');
  process.exit(0);
}
void main();
`;

const ENTRIES = `import * as all from 'durable-sqs-lambda';
import { SqsTransport } from 'durable-sqs-lambda/engine';
import { leanCore } from 'durable-sqs-lambda/esbuild-plugin';
import { runStep } from 'durable-sqs-lambda/local';
import plugin from 'durable-sqs-lambda/serverless-plugin';
import { sqsStepHandler } from 'durable-sqs-lambda/worker';

const handler = sqsStepHandler('a', async (input: { id: string }) => ({ id: input.id }));
export const result: Promise<all.StepResult> = runStep(handler, { id: 'x' });
export const transport: all.SqsTransport = new SqsTransport();
export const others = [leanCore(), plugin];
// @ts-expect-error: the types are there, so a typo is refused
new SqsTransport({ autoCreat: true });
`;
