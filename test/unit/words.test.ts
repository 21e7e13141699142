import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Words that have been written for what CONTRIBUTING.md has one word for. */
const INSTEAD: readonly (readonly [RegExp, string])[] = [
  [/\bmend(s|ed|ing)?\b/i, 'fix'],
  [/\bnone of ours\b/i, 'not one of ours; of another consumer'],
  [/\bhand(s|ed|ing)?[ -]?over\b/i, 'give, deliver, pass'],
  [/\bpassing (error|failure|fault|reason)/i, 'transient'],
  [/\bdlq/i, 'dead-letter queue'],
];

it('the sources and the pages use the words of CONTRIBUTING.md', () => {
  const files = globSync(['README.md', 'docs/**/*.md', 'src/**/*.ts', 'handlers/**/*.ts', 'examples/*/{README.md,src/**/*.ts}'], {
    cwd: root,
  });
  const found = files.flatMap((file) =>
    readFileSync(root + file, 'utf8')
      .split('\n')
      .flatMap((text, index) => INSTEAD.filter(([word]) => word.test(text)).map(([, better]) => `${file}:${index + 1} say: ${better}`)),
  );
  expect(files.length).toBeGreaterThan(150);
  expect(found).toEqual([]);
});
