import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { type FunctionProcess, type ProcessEnd, startProcess } from '../../../../src/local/process/function-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'function-process-'));
const started: FunctionProcess[] = [];
afterEach(() => {
  for (const process of started.splice(0)) process.kill();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SETTINGS = { requestId: 'request-1', functionName: 'pay', timeoutMs: 10_000, region: 'eu-central-1' };
const RECORD = { messageId: 'm', body: 'hello' };
const EVENT = JSON.parse(JSON.stringify({ Records: [RECORD] }));

/** A process, and how it ended while nobody waited. */
function start(env: Record<string, string> = {}, memorySizeMb = 128) {
  const ends: ProcessEnd[] = [];
  const process = startProcess({ env: { PATH: '', ...env }, memorySizeMb, output: 'stderr', onIdleEnd: (end) => ends.push(end) });
  started.push(process);
  return { process, ends };
}

let files = 0;
/** Writes the module of a handler. */
function module(text: string) {
  files += 1;
  const file = join(folder, `handler-${files}.mjs`);
  return { file, text, exportName: 'handler', fromDefault: true };
}

/** A process that has loaded a handler with this body. */
async function loaded(body: string, ...more: Parameters<typeof start>) {
  const { process, ends } = start(...more);
  expect(await process.load(module(`export const handler = async (event, context) => { ${body} };`), 20_000)).toMatchObject({ ok: true });
  return { process, ends, invoke: (settings: Partial<typeof SETTINGS> = {}) => process.invoke(EVENT, { ...SETTINGS, ...settings }) };
}

describe('a process that loads a handler', () => {
  it.each([
    ['an export that is missing', 'export const other = 1;', /^expected an export "handler" that is a function of \(event, context\)$/],
    ['a handler with a callback', 'export const handler = (event, context, done) => done();', /^expected an export "handler"/],
    ['a module that throws', "throw new TypeError('no database');", /^TypeError: no database\n {4}at .*handler-\d+\.mjs:1:7/],
    ['a syntax error', 'export const = 1;', /^SyntaxError: /],
    ['a module that exits', 'process.exit(3);', /^while it was loaded, its process exited with code 3/],
    [
      'a rejection while it loads',
      "Promise.reject(new Error('no secret')); await new Promise((r) => setTimeout(r, 1e4));",
      /^Error: no secret\n {4}at /,
    ],
    [
      'a require of its own, which Lambda does not have',
      "require('node:fs'); export const handler = () => 1;",
      /^ReferenceError: require is not defined/,
    ],
  ])('reports %s', async (_what, text, problem) => {
    expect(await start().process.load(module(text), 20_000)).toEqual({ ok: false, problem: expect.stringMatching(problem) });
  });

  it('reports a module whose load never ends, and kills it', async () => {
    const { process } = start();
    const outcome = await process.load(
      module('await new Promise((r) => setInterval(r, 1e6));\nsetInterval(() => {}, 1e6); await new Promise(() => {});'),
      300,
    );
    expect(outcome).toEqual({ ok: false, problem: expect.stringContaining('expected it to load within 300 ms') });
    expect(process.ended).toBe(true);
  });

  it('writes the file again where it has gone', async () => {
    const code = module('export const handler = async () => 7;');
    expect(await start().process.load(code, 20_000)).toMatchObject({ ok: true });
    rmSync(code.file);
    expect(await start().process.load(code, 20_000)).toMatchObject({ ok: true });
  });

  it('finds the handler of a CommonJS bundle', async () => {
    const { process } = start();
    expect(await process.load(module('export default { handler: async () => 7 };'), 20_000)).toMatchObject({ ok: true });
    expect(await process.invoke(EVENT, SETTINGS)).toEqual({ kind: 'returned', response: 7 });
  });

  it.each([
    [
      'a step handler',
      "Symbol.for('durable-sqs-lambda.step-handler')",
      '{ names: ["pay", "refund"] }',
      { kind: 'steps', names: ['pay', 'refund'] },
    ],
    ['a dead-letter handler', "Symbol.for('durable-sqs-lambda.dead-letter-handler')", 'true', { kind: 'dead-letters' }],
    ['another function', "'name of no account'", '1', { kind: 'other' }],
  ])('tells %s', async (_what, key, value, handler) => {
    const text = `export const handler = Object.assign(async () => 1, { [${key}]: ${value} });`;
    expect(await start().process.load(module(text), 20_000)).toEqual({ ok: true, handler });
  });
});

describe('a process that runs invocations', () => {
  it('gives the answer of each, through JSON', async () => {
    const { invoke } = await loaded('return { at: new Date(0), body: event.Records[0].body, none: undefined };');
    for (let count = 0; count < 3; count += 1) {
      expect(await invoke()).toEqual({ kind: 'returned', response: { at: '1970-01-01T00:00:00.000Z', body: 'hello' } });
    }
    expect(await (await loaded('')).invoke()).toEqual({ kind: 'returned', response: undefined });
  });

  it('gives the handler its context and environment', async () => {
    const { invoke } = await loaded(
      'const { awsRequestId, functionName, invokedFunctionArn } = context; return [awsRequestId, functionName, invokedFunctionArn, context.getRemainingTimeInMillis() > 1000, process.env.WORD, process.env.HOME ?? null];',
      { WORD: 'moin' },
    );
    const arn = 'arn:aws:lambda:eu-central-1:000000000000:function:pay';
    expect(await invoke()).toEqual({ kind: 'returned', response: ['request-1', 'pay', arn, true, 'moin', null] });
  });

  it('gives what the handler threw, and lives on', async () => {
    const { invoke } = await loaded("if (event.Records[0].body) throw new RangeError('too much');");
    const outcome = await invoke();
    expect(outcome).toMatchObject({
      kind: 'threw',
      error: { name: 'RangeError', stack: expect.stringMatching(/^RangeError: too much\n {4}at handler /) },
    });
    expect(await invoke()).toMatchObject({ kind: 'threw' });
    expect(await (await loaded('return 1n;')).invoke()).toMatchObject({ kind: 'threw', error: { name: 'TypeError' } });
  });

  it.each([
    ['an endless loop', 'for (;;);'],
    ['a promise that never settles', 'await new Promise(() => {});'],
  ])('kills the process at the timeout of %s', async (_what, body) => {
    const { invoke, process } = await loaded(body);
    const startedAt = performance.now();
    expect(await invoke({ timeoutMs: 300 })).toEqual({ kind: 'timeout' });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect(process.ended).toBe(true);
  });

  it.each([
    ['process.exit', 'process.exit(0);', 'its process exited with code 0: a handler must return, not call process.exit'],
    [
      'a stray rejection',
      "void Promise.reject(new Error('forgotten')); await new Promise((r) => setTimeout(r, 5000));",
      'unhandled rejection: Error: forgotten',
    ],
    [
      'an uncaught exception',
      "setTimeout(() => { throw new Error('later'); }, 0); await new Promise((r) => setTimeout(r, 5000));",
      'uncaught exception: Error: later',
    ],
    ['a kill from outside', "process.kill(process.pid, 'SIGKILL'); await new Promise(() => {});", 'its process was killed by SIGKILL'],
  ])('gives the reason of an end by %s', async (_what, body, reason) => {
    const { invoke, process, ends } = await loaded(body);
    expect(await invoke()).toMatchObject({ kind: 'exited', reason });
    expect([process.ended, ends]).toEqual([true, []]);
  });

  it('gives the stack of what ended it', async () => {
    const { invoke } = await loaded("void Promise.reject(new Error('forgotten')); await new Promise((r) => setTimeout(r, 5000));");
    const stack = expect.stringMatching(/^Error: forgotten\n {4}at handler \(.*handler-\d+\.mjs:1:/);
    expect(await invoke()).toMatchObject({ kind: 'exited', error: { stack } });
  });

  it('names the memory of a process that ran out of it', async () => {
    const { invoke } = await loaded('const all = []; for (;;) all.push(new Array(1e5).fill(all.length));', {}, 64);
    expect(await invoke({ timeoutMs: 60_000 })).toEqual({
      kind: 'exited',
      reason: 'its process was aborted: out of memory? (memorySize: 64 MB)',
    });
  }, 60_000);

  it('reports an end between two invocations, with the error', async () => {
    const { invoke, process, ends } = await loaded("setTimeout(() => Promise.reject(new Error('after the answer')), 20); return 1;");
    expect(await invoke()).toEqual({ kind: 'returned', response: 1 });
    await expect.poll(() => ends).toHaveLength(1);
    expect(ends[0]).toEqual({ reason: 'unhandled rejection: Error: after the answer', detail: expect.stringContaining('    at ') });
    expect(process.ended).toBe(true);
    expect(await invoke()).toEqual({ kind: 'exited', reason: 'its process had ended' });
  });

  it('reports no end of a process that was killed on purpose', async () => {
    const { process, ends } = await loaded('return 1;');
    process.kill();
    await expect.poll(() => process.ended).toBe(true);
    expect(ends).toEqual([]);
  });
});
