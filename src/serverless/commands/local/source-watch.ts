import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';

/** An editor writes a file in several steps. */
const SETTLE_MS = 20;
const PACKAGES = /[\\/]node_modules[\\/]/;

/**
 * Calls `onChange` when one of the files changes: within milliseconds, where the file system tells of changes. Where it
 * does not (some shared folders of virtual machines), nothing happens: esbuild's own watch, which looks at files every
 * other second, is for those.
 */
export class SourceWatch {
  readonly #onChange: () => void;
  /** Folder → the names of its files that are watched. Folders, since editors replace files. */
  #names = new Map<string, Set<string>>();
  readonly #watchers = new Map<string, FSWatcher>();
  #settling: NodeJS.Timeout | undefined;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /**
   * From now on, these files and no others.
   * @param inputs as esbuild names them: relative to the folder, or in a plugin's namespace
   */
  set(folder: string, inputs: readonly string[]): void {
    const names = new Map<string, Set<string>>();
    for (const input of inputs) {
      const file = resolve(folder, input);
      if (PACKAGES.test(file)) continue;
      names.set(dirname(file), (names.get(dirname(file)) ?? new Set()).add(basename(file)));
    }
    this.#names = names;
    for (const [watched, watcher] of this.#watchers) if (!names.has(watched)) this.#close(watched, watcher);
    for (const wanted of names.keys()) if (!this.#watchers.has(wanted)) this.#open(wanted);
  }

  stop(): void {
    clearTimeout(this.#settling);
    for (const [folder, watcher] of this.#watchers) this.#close(folder, watcher);
  }

  #open(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, (_event, name) => this.#changed(folder, name));
      watcher.on('error', () => this.#close(folder, watcher));
      this.#watchers.set(folder, watcher);
    } catch {
      // A plugin's namespace, no folder; or the system has no watches left. esbuild's own watch remains.
    }
  }

  #close(folder: string, watcher: FSWatcher): void {
    watcher.close();
    this.#watchers.delete(folder);
  }

  #changed(folder: string, name: string | null): void {
    if (name !== null && this.#names.get(folder)?.has(name) !== true) return;
    clearTimeout(this.#settling);
    this.#settling = setTimeout(this.#onChange, SETTLE_MS);
  }
}
