import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import { leanCore } from '../../../src/serverless/lean-core.ts';

const BUNDLE = {
  bundle: true,
  minify: true,
  write: false,
  metafile: true,
  platform: 'node',
  format: 'esm',
  logLevel: 'error',
} as const;
const CODE = `import { currentStep, FatalError, runStepHandler } from '@dudousxd/nestjs-durable-core'; export { currentStep, FatalError, runStepHandler };`;

const folder = mkdtempSync(join(tmpdir(), 'lean-core-'));

afterAll(() => rmSync(folder, { recursive: true }));

async function bundled(options: object = {}) {
  const stdin = { contents: CODE, resolveDir: import.meta.dirname, loader: 'js' } as const;
  const { outputFiles } = await build({ ...BUNDLE, mainFields: ['module', 'main'], stdin, ...options });
  return outputFiles?.[0]?.text ?? '';
}

describe('the core package in a bundle', () => {
  it('leanCore leaves out what is unused', async () => {
    const lean = await bundled({ plugins: [leanCore()] });
    expect(lean.length).toBeLessThan(6_000);
    // The day the core package itself can be shaken, the plugin has nothing left to do.
    expect((await bundled()).length).toBeGreaterThan(80_000);
  });

  it('leanCore leaves out classes that nobody uses, whatever their fields are called', async () => {
    expect(await bundled()).toContain('workflow suspended');
    expect(await bundled({ plugins: [leanCore()] })).not.toContain('workflow suspended');
  });

  it('leanCore leaves out what a workflow worker has for Redis, and neither client has to be installed', async () => {
    const contents = `export { WorkflowWorker } from '@dudousxd/durable-worker';`;
    const lean = await bundled({ stdin: { contents, resolveDir: import.meta.dirname, loader: 'js' }, plugins: [leanCore()] });
    expect(lean.length).toBeLessThan(12_000);
    expect(lean).not.toMatch(/bullmq|ioredis/);
  });

  it('leanCore drops the calls that name closures at run time', async () => {
    expect(await bundled()).toContain('"name",{value:');
    expect(await bundled({ plugins: [leanCore()] })).not.toContain('"name",{value:');
  });

  it('leanCore lets the core package load in a CommonJS bundle', async () => {
    const options = { format: 'cjs', treeShaking: false, logLevel: 'silent', plugins: [leanCore()] };
    for (const [name, more] of Object.entries({ lean: { treeShaking: true }, whole: {} })) {
      const file = join(folder, `${name}.cjs`);
      writeFileSync(file, await bundled({ ...options, ...more }));
      expect(await import(file)).toMatchObject({ runStepHandler: expect.any(Function) });
    }
  });

  it('events, the ambient step and fatal errors work as without leanCore', async () => {
    const lean = await bundled({ plugins: [leanCore()] });
    const file = join(folder, 'core.mjs');
    writeFileSync(file, lean);
    const { currentStep, FatalError, runStepHandler } = await import(file);
    const task = { runId: 'r', seq: 0, stepId: 'r:0', name: 'a', group: 'a', input: 1, attempt: 1 };
    const completed = await runStepHandler(task, (input: number) => {
      currentStep().info('seen', { input });
      return input + 1;
    });
    expect(completed).toMatchObject({ stepId: 'r:0', status: 'completed', output: 2, events: [{ level: 'info', message: 'seen' }] });
    const failed = await runStepHandler(task, () => {
      throw new FatalError('no', 'declined');
    });
    expect(failed).toMatchObject({ status: 'failed', error: { message: 'no', code: 'declined' } });
    expect(new FatalError('no').name).toBe('FatalError');
  });
});

describe('an optional peer that is not installed', () => {
  it.each([
    ['@dudousxd/durable-worker', 'durable-sqs-lambda/workflow'],
    ['@opentelemetry/api', 'durable-sqs-lambda/opentelemetry'],
  ])('%s is named with the command that installs it', async (peer, entry) => {
    const stdin = { contents: `export * from '${peer}';`, resolveDir: folder, loader: 'js' } as const;
    const built = build({ ...BUNDLE, stdin, plugins: [leanCore()], logLevel: 'silent' });
    await expect(built).rejects.toThrow(`${entry} needs the package "${peer}", which is not installed: npm install ${peer}`);
  });

  it('stays out of the bundle where it is external', async () => {
    const stdin = { contents: `export * from '@opentelemetry/api';`, resolveDir: folder, loader: 'js' } as const;
    const { outputFiles } = await build({ ...BUNDLE, stdin, plugins: [leanCore()], external: ['@opentelemetry/api'] });
    expect(outputFiles[0]?.text).toContain('@opentelemetry/api');
  });
});
