import { parseArgs } from 'node:util';

export const USAGE = [
  'npm run bench [-- --quick] [--only 1,3] [--out DIR]',
  '',
  '  --quick      about a minute, smaller; checks ratios only, with generous bounds; writes no files',
  '  --only 1,3   these sections only (with those whose figures they need); writes no files',
  '  --out DIR    writes results.json, results.md and charts/ there',
  '',
  'A full run without --out writes bench/results.json, bench/results.md and bench/charts/.',
].join('\n');

export interface Arguments {
  readonly help: boolean;
  readonly quick: boolean;
  /** Undefined: all. */
  readonly only: readonly number[] | undefined;
  readonly out: string | undefined;
}

/** @throws RangeError for a section that there is not; TypeError, of Node's, for an option that it does not know. */
export function readArguments(args: readonly string[], sections: readonly number[]): Arguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      out: { type: 'string' },
    },
  });
  const only = values.only?.split(',').map(Number);
  const unknown = only?.find((id) => !sections.includes(id));
  if (unknown !== undefined) throw new RangeError(`expected --only to name sections of ${sections.join(', ')}, got "${values.only}"`);
  return { help: values.help, quick: values.quick, only, out: values.out };
}
