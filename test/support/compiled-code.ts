import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** The TypeScript blocks of a page. */
export const codeIn = (page: string): string[] => [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code ?? '');

/** What the compiler says of blocks of code, each a module beside the handler and the functions that they import. */
export function compiled(page: string, blocks: readonly string[], type: 'commonjs' | 'module'): string {
  const folder = join(root, 'test/.readme', page);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'handlers'), { recursive: true });
  copyFileSync(join(root, 'test/fixtures/readme/payments.ts'), join(folder, 'payments.ts'));
  const handler = codeIn(readFileSync(join(root, 'README.md'), 'utf8')).find((code) => code.startsWith('// handlers/charge-card.ts'));
  writeFileSync(join(folder, 'handlers/charge-card.ts'), handler ?? '');
  // A block of one statement is part of a step's body.
  for (const [index, code] of blocks.entries()) writeFileSync(join(folder, `block-${index + 1}.ts`), `${code}\nexport {};\n`);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type }));
  const compilerOptions = { rootDir: '../../..', experimentalDecorators: true, verbatimModuleSyntax: type === 'module' };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ extends: '../../../tsconfig.json', compilerOptions, include: ['*.ts'] }));
  return spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8' }).stdout;
}
