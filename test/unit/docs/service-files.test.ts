import { globSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { readDurableService } from '../../../src/serverless/read-service.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
/** The parser with which the deploy tool reads the file. */
const { load }: { readonly load: (text: string) => unknown } = createRequire(join(root, 'node_modules/serverless/package.json'))('js-yaml');

const PROVIDER = { name: 'aws', region: 'eu-central-1', runtime: 'nodejs24.x', timeout: 30 };
const FUNCTION = { handler: 'handlers/charge-card.handler', events: [{ durableStep: 'payments.charge-card' }] };

/** Blocks of pages that are a serverless.yml, or the part of one that a comment in the first line names. */
const blocks = ['README.md', ...globSync('docs/guide/*.md', { cwd: root }).toSorted()].flatMap((page) => {
  const found = readFileSync(join(root, page), 'utf8').matchAll(/^```yaml\n((?: *# serverless\.yml|custom:|functions:).*?)^```$/gms);
  return [...found].map(([, text = '']) => ({ page, text, under: /# serverless\.yml, under (\w+)/.exec(text)?.[1] }));
});

it.each(blocks)('$page shows a serverless.yml that the plugin accepts ($under)', ({ text, under }) => {
  const part: Readonly<Record<string, object>> = Object(under === undefined ? load(text) : { [under]: load(text) });
  const service = { ...part, provider: { ...PROVIDER, ...part['provider'] }, functions: { chargeCard: FUNCTION, ...part['functions'] } };
  expect(() => readDurableService(JSON.parse(JSON.stringify(service).replace(/\$\{[^}]*\}/g, 'dev')))).not.toThrow();
});

it('there are such blocks', () => {
  expect(blocks.length).toBeGreaterThan(6);
});
