import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { startProcess } from '../../local/process/function-process.ts';
import { bounded } from '../bounded.ts';
import { INIT_TIMEOUT_MS } from '../lambda-limits.ts';
import { isProvided, loadHint } from './load-hint.ts';
import { unzip } from './zip.ts';

/** A function to load, as it was packaged. */
export interface PackagedFunction {
  readonly functionKey: string;
  /** `file.export`. */
  readonly handler: string;
  readonly runtime: string;
  readonly memorySizeMb: number;
  /** Path of the zip archive. */
  readonly artifact: string;
  /** Its environment, without credentials. */
  readonly environment: Readonly<Record<string, string>>;
  readonly hasLayers: boolean;
}

/** Files that `handler` may name, in the order in which Lambda's runtime looks. */
const EXTENSIONS = ['.js', '.mjs', '.cjs'];
/** What Lambda's runtimes hold. */
const PROVIDED = ['@aws-sdk', '@smithy'];

/**
 * Loads functions as Lambda would: unpacked on its own, in a fresh Node process with the function's environment and no
 * credentials, within ten seconds. Gives what does not load, a paragraph each.
 * @param serviceDir where the AWS SDK is looked for, which Lambda's runtime holds
 */
export async function loadProblems(functions: readonly PackagedFunction[], serviceDir: string): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'durable-load-'));
  try {
    linkProvided(folder, serviceDir);
    const unpacked = new Map<string, string>();
    for (const { artifact } of functions) {
      if (unpacked.has(artifact)) continue;
      const task = join(folder, `task-${unpacked.size}`);
      unzip(artifact, task);
      unpacked.set(artifact, task);
    }
    // A process each; more at once than there are processors would only make each slower, and ten seconds are counted.
    const inTurn = bounded(availableParallelism());
    const found = await Promise.all(functions.map((fn) => inTurn(() => problemOf(fn, unpacked.get(fn.artifact) ?? ''))));
    return found.flat();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Beside the functions' folders, as Lambda's own are: what an archive holds goes before it. */
function linkProvided(folder: string, serviceDir: string): void {
  const modules = join(folder, 'node_modules');
  mkdirSync(modules);
  for (const scope of PROVIDED) {
    const installed = lookUp(serviceDir, join('node_modules', scope));
    if (installed !== undefined) symlinkSync(installed, join(modules, scope), 'junction');
  }
}

function lookUp(from: string, path: string): string | undefined {
  const candidate = join(from, path);
  if (existsSync(candidate)) return candidate;
  return dirname(from) === from ? undefined : lookUp(dirname(from), path);
}

async function problemOf(fn: PackagedFunction, task: string): Promise<string[]> {
  const dot = fn.handler.lastIndexOf('.');
  const base = join(task, fn.handler.slice(0, dot));
  const file = EXTENSIONS.map((extension) => `${base}${extension}`).find((path) => existsSync(path));
  if (file === undefined) {
    return [
      `functions.${fn.functionKey}: its archive has no ${fn.handler.slice(0, dot)}{${EXTENSIONS.join(',')}}, where Lambda looks for "${fn.handler}"`,
    ];
  }
  const process = startProcess({
    env: fn.environment,
    execArgv: nodeFlags(fn),
    memorySizeMb: fn.memorySizeMb,
    output: 'none',
    onIdleEnd: () => undefined,
  });
  try {
    // Lambda imports a `.mjs`, and takes nothing for its exports but its exports.
    const code = { file, exportName: fn.handler.slice(dot + 1), fromDefault: !file.endsWith('.mjs') };
    const outcome = await process.load(code, INIT_TIMEOUT_MS);
    if (outcome.ok || isProvided(outcome.problem, fn.hasLayers)) return [];
    // As on Lambda: relative to the folder of the function.
    const problem = outcome.problem.replaceAll('file://', '').replaceAll(`${task}/`, '');
    return [
      `functions.${fn.functionKey} does not load as Lambda loads it:\n${problem.replace(/^/gm, '    ')}\n    fix: ${loadHint(problem)}`,
    ];
  } finally {
    process.kill();
  }
}

/** Lambda's nodejs22.x has two of Node's features turned off, unless the function's NODE_OPTIONS ask for them. */
function nodeFlags({ runtime, environment }: PackagedFunction): string[] {
  if (runtime !== 'nodejs22.x') return [];
  const features = ['experimental-require-module', 'experimental-detect-module'];
  return features.filter((feature) => environment['NODE_OPTIONS']?.includes(`--${feature}`) !== true).map((feature) => `--no-${feature}`);
}
