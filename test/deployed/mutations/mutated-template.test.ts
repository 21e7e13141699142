import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../../deploy/sls.ts';
import { MUTATIONS } from './mutations.ts';

const VITEST = join(root, 'node_modules/vitest/vitest.mjs');

/** The run of one file of `npm run test:deployed`, up to its first failure. */
function runOf(file: string, mutation: string): Promise<{ code: number | null; output: string }> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST'));
  const child = spawn(process.execPath, [VITEST, 'run', '--project', 'deployed', '--bail=1', `test/deployed/${file}.test.ts`], {
    cwd: root,
    env: { ...Object.fromEntries(inherited), DEPLOYED_MUTATION: mutation, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })));
}

describe('a fault in the template', () => {
  it.each(MUTATIONS)('turns the run red: $name', async ({ name, file, says }) => {
    const { code, output } = await runOf(file, name);
    expect(code).toBe(1);
    // Behind the list of tests: passed ones have their titles there too.
    expect(output.slice(output.indexOf('FAIL'))).toContain(says);
  });
});
