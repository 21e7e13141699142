import { existsSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';

const INTERVAL_MS = 500;
const CONFIG_FILES = ['yml', 'yaml', 'json', 'js', 'cjs', 'mjs', 'ts'].map((extension) => `serverless.${extension}`);
const REFERENCED = /\$\{file\(([^):]+)\)/g;

/**
 * Calls `onChange` with the name of a configuration file whose text changes: serverless.yml, and the files that it
 * refers to by `${file(…)}`. They are few and small, so they are read every half second: that works on every file
 * system, and whatever an editor does to save.
 */
export function watchConfig(serviceDir: string, onChange: (file: string) => void): { stop(): void } {
  const main = CONFIG_FILES.map((name) => join(serviceDir, name)).filter((file) => existsSync(file));
  const files = [...main, ...main.flatMap((file) => referenced(serviceDir, file))];
  const texts = new Map(files.map((file) => [file, textOf(file)]));
  const timer = setInterval(() => {
    for (const [file, last] of texts) {
      const text = textOf(file);
      // Gone for the moment in which an editor replaces it.
      if (text === undefined || text === last) continue;
      texts.set(file, text);
      onChange(basename(file));
    }
  }, INTERVAL_MS).unref();
  return { stop: () => clearInterval(timer) };
}

function referenced(serviceDir: string, file: string): string[] {
  const paths = [...(textOf(file) ?? '').matchAll(REFERENCED)].map(([, path = '']) => resolve(serviceDir, path.trim()));
  return [...new Set(paths)].filter((path) => existsSync(path));
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
