import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  deadLetterQueueName,
  parkedQueueName,
  resultsDeadLetterQueueName,
  resultsQueueName,
  tasksQueueName,
} from '../../src/naming/queue-names.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const reference = readFileSync(join(root, 'docs/reference.md'), 'utf8');

describe('the docs', () => {
  it('have code that compiles', () => {
    const folder = join(root, 'test/.readme');
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(join(folder, 'handlers'), { recursive: true });
    copyFileSync(join(root, 'test/fixtures/readme/payments.ts'), join(folder, 'payments.ts'));
    copyFileSync(join(root, 'handlers/charge-card.ts'), join(folder, 'handlers/charge-card.ts'));
    const blocks = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code ?? '');
    // A block of one statement is part of a step's body.
    for (const [index, code] of blocks.entries()) writeFileSync(join(folder, `block-${index + 1}.ts`), `${code}\nexport {};\n`);
    const compilerOptions = { rootDir: '../..', experimentalDecorators: true };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ extends: '../../tsconfig.json', compilerOptions, include: ['*.ts'] }));

    const { stdout } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8' });

    expect(blocks.length).toBeGreaterThan(8);
    expect(stdout).toBe('');
  });

  it('give the names of queues as the naming module does', () => {
    for (const token of ['py_echo', 'payments.charge-card', 'charge@acme']) {
      expect(reference).toContain(`| \`${token}\` | \`${tasksQueueName(token)}\` |`);
    }
    for (const name of [resultsQueueName(), resultsDeadLetterQueueName(), deadLetterQueueName('x'), parkedQueueName('x')]) {
      expect(reference).toContain(`\`${name.replace(/x$/, '…')}\``);
    }
  });
});
