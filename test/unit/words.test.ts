import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { longComments, longLines, refusedWords } from '../support/plain-english.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const contributing = readFileSync(`${root}CONTRIBUTING.md`, 'utf8');
const DOCUMENTS = ['*.md', 'docs/**/*.md', 'examples/*/README.md', '.changeset/*.md'];
const SOURCES = ['src/**/*.ts', 'handlers/**/*.ts', 'examples/*/src/**/*.ts'];
const COMMENTED = [...SOURCES, 'test/**/*.ts', 'bench/**/*.ts'];
/** Characters, of a line of text. Code is the formatter's. */
const LONGEST_LINE = 120;

const filesOf = (patterns: readonly string[]) => globSync(patterns, { cwd: root, exclude: ['**/node_modules'] }).toSorted();
const read = (file: string) => readFileSync(root + file, 'utf8');

describe('the English of this repository', () => {
  it('has none of the words that CONTRIBUTING.md replaces', () => {
    const refused = refusedWords(contributing);
    expect(refused.length).toBeGreaterThan(4);
    const files = filesOf([...DOCUMENTS, ...SOURCES]);
    // The table itself names them.
    const text = (file: string) => (file === 'CONTRIBUTING.md' ? contributing.replace(/^\| not \|[\s\S]*?\n\n/m, '') : read(file));
    const found = files.flatMap((file) =>
      text(file)
        .split('\n')
        .flatMap((line, index) => refused.filter(({ word }) => word.test(line)).map(({ say }) => `${file}:${index + 1} say: ${say}`)),
    );
    expect(files.length).toBeGreaterThan(150);
    expect(found).toEqual([]);
  });

  it(`has documents without lines of more than ${LONGEST_LINE} characters`, () => {
    const files = filesOf(DOCUMENTS);
    expect(files.flatMap((file) => longLines(read(file), LONGEST_LINE).map((line) => `${file}:${line}`))).toEqual([]);
  });

  it(`has comments without lines of more than ${LONGEST_LINE} characters`, () => {
    const files = filesOf(COMMENTED).filter((file) => !/^test\/fixtures\//.test(file));
    expect(files.length).toBeGreaterThan(600);
    expect(files.flatMap((file) => longComments(read(file), LONGEST_LINE).map((line) => `${file}:${line}`))).toEqual([]);
  });
});

describe('long lines', () => {
  it('stand out in comments, and not in code', () => {
    const long = 'word '.repeat(30);
    expect(
      longComments([`// ${long}`, `const text = '${long}';`, ` * ${long}`, `/** ${long} */`, `// https://${long}`].join('\n'), 140),
    ).toEqual([1, 3, 4]);
  });

  it('stand out in text, and not in code, tables, links and headings', () => {
    const long = 'word '.repeat(30);
    const page = ['short', long, `| ${long} |`, '```', long, '```', `[${long}](https://example.com)`, `# ${long}`, `- ${long}`].join('\n');
    expect(longLines(page, 140)).toEqual([2, 9]);
  });
});

describe('refused words', () => {
  it('come from the table, in any form of the word', () => {
    const [mend, over] = refusedWords('| not | but |\n| --- | --- |\n| mend | fix |\n| hand over | give |\n');
    for (const text of ['mend', 'Mended it', 'mending']) expect(mend?.word.test(text)).toBe(true);
    expect(mend?.word.test('recommend')).toBe(false);
    for (const text of ['handed over', 'hand-over', 'hands over']) expect(over?.word.test(text)).toBe(true);
    expect(over?.say).toBe('give');
  });
});
