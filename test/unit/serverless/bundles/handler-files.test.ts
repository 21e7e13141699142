import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { missingHandlers } from '../../../../src/serverless/bundles/handler-files.ts';
import { readDurableService } from '../../../../src/serverless/read-service.ts';
import { functionWith, serviceOf } from '../services.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'handlers-'));
  writeFileSync(join(folder, 'there.ts'), '');
  mkdirSync(join(folder, 'indexed'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function missing(handler: string, more: object = {}, plugins: unknown = ['serverless-esbuild']): string[] {
  const charge = { name: 'charge', ...functionWith({ durableStep: 'pay' }), handler, events: [{ durableStep: 'pay' }], ...more };
  const functions = { charge };
  return missingHandlers({ provider: {}, functions, plugins }, readDurableService(serviceOf({ functions })), folder);
}

it('a handler without a file is named with the files that it could be', () => {
  expect(missing('handlers/charge-crad.handler')).toEqual([
    'functions.charge.handler: expected a file handlers/charge-crad{.ts,.mts,.cts,.tsx,.js,.jsx,.mjs,.cjs}, found none; correct the path',
  ]);
});

it.each([
  ['there is a file', 'there.handler', {}, undefined],
  ['there is a folder, whose index the bundler takes', 'indexed.handler', {}, undefined],
  ['its archive is made elsewhere', 'gone.handler', { package: { artifact: 'charge.zip' } }, undefined],
  ['another bundler looks for it', 'gone.handler', {}, ['serverless-webpack']],
])('nothing is said where %s', (_why, handler, more, plugins) => {
  expect(missing(handler, more, plugins)).toEqual([]);
});
