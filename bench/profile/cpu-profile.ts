import { existsSync, readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { fileURLToPath } from 'node:url';

/** Part of V8's `.cpuprofile`: the nodes of its call tree, and which of them was on top at each sample. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
      readonly columnNumber: number;
    };
  }[];
  readonly samples: readonly number[];
  /** Microseconds between samples. */
  readonly timeDeltas: readonly number[];
}

/** Milliseconds of self time by {@link groupOf}, largest first. Idle time is left out. */
export function selfTimes(profile: CpuProfile, sourceOf: (url: string, line: number, column: number) => string): [string, number][] {
  const groups = new Map(
    profile.nodes.map(({ id, callFrame }) => {
      const { functionName, url, lineNumber, columnNumber } = callFrame;
      return [id, url === '' ? nativeGroup(functionName) : groupOf(sourceOf(url, lineNumber, columnNumber))];
    }),
  );
  const times = new Map<string, number>();
  profile.samples.forEach((id, index) => {
    const group = groups.get(id) ?? '(unknown)';
    if (group !== '(idle)') times.set(group, (times.get(group) ?? 0) + (profile.timeDeltas[index] ?? 0) / 1000);
  });
  return [...times].sort(([, a], [, b]) => b - a);
}

/** V8's own `(garbage collector)`, `(program)`, `(idle)`; everything else without a file is compiled into Node. */
function nativeGroup(functionName: string): string {
  return functionName.startsWith('(') ? functionName : 'Node, native';
}

/**
 * Whose code a file is: a package, a folder of this one, Node itself, or the profiler's own `(garbage collector)` and
 * `(program)`.
 */
export function groupOf(file: string): string {
  if (file.startsWith('node:')) return 'Node';
  const inPackage = file.split('node_modules/').at(-1) ?? '';
  if (file.includes('node_modules/')) return inPackage.split('/', inPackage.startsWith('@') ? 2 : 1).join('/');
  const own = /(?:^|\/)((?:src\/[a-z-]+|handlers|bench))(?=\/|\.ts)/.exec(file);
  return own?.[1] ?? 'other';
}

/** Finds where generated code came from, by the source map beside its file. */
export function sourceFinder(): (url: string, line: number, column: number) => string {
  const maps = new Map<string, SourceMap | undefined>();
  return (url, line, column) => {
    // A package is a package, whatever folders it was built from.
    if (!url.startsWith('file:') || url.includes('/node_modules/')) return url;
    if (!maps.has(url)) maps.set(url, sourceMapOf(`${fileURLToPath(url)}.map`));
    const entry = maps.get(url)?.findEntry(line, column);
    return entry !== undefined && 'originalSource' in entry && typeof entry.originalSource === 'string' ? entry.originalSource : url;
  };
}

function sourceMapOf(file: string): SourceMap | undefined {
  return existsSync(file) ? new SourceMap(JSON.parse(readFileSync(file, 'utf8'))) : undefined;
}
