import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { watchConfig } from '../../../../../src/serverless/commands/local/config-watch.ts';
import { SourceWatch } from '../../../../../src/serverless/commands/local/source-watch.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'watch-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const write = (file: string, text: string) => writeFileSync(join(folder, file), text);

describe('watchConfig', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('names serverless.yml and the files it refers to when their text changes', () => {
    write('serverless.yml', `functions: \${file(./functions.yml):pay}\n`);
    write('functions.yml', 'pay: 1\n');
    write('other.yml', '1');
    const changed: string[] = [];
    const watch = watchConfig(folder, (file) => changed.push(file));
    write('serverless.yml', 'functions: {}\n');
    write('other.yml', '2');
    vi.advanceTimersByTime(500);
    expect(changed).toEqual(['serverless.yml']);
    rmSync(join(folder, 'functions.yml'));
    vi.advanceTimersByTime(500);
    write('functions.yml', 'pay: 2\n');
    vi.advanceTimersByTime(5_000);
    expect(changed).toEqual(['serverless.yml', 'functions.yml']);
    watch.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('ignores a file that is saved unchanged', () => {
    write('serverless.ts', 'a');
    const changed: string[] = [];
    const watch = watchConfig(folder, (file) => changed.push(file));
    write('serverless.ts', 'a');
    vi.advanceTimersByTime(5_000);
    expect(changed).toEqual([]);
    watch.stop();
  });
});

describe('SourceWatch', () => {
  it('tells of a file that an editor replaces, once, and of no other', async () => {
    mkdirSync(join(folder, 'node_modules/p'), { recursive: true });
    write('a.ts', '1');
    write('node_modules/p/index.js', '1');
    let changes = 0;
    const watch = new SourceWatch(() => {
      changes += 1;
    });
    watch.set(folder, ['a.ts', 'node_modules/p/index.js', 'virtual:planet', 'gone/b.ts']);
    try {
      write('other.ts', '1');
      write('node_modules/p/index.js', '2');
      write('a.ts.new', '2');
      renameSync(join(folder, 'a.ts.new'), join(folder, 'a.ts'));
      await expect.poll(() => changes).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(changes).toBe(1);
      watch.set(folder, ['other.ts']);
      write('a.ts', '3');
      write('other.ts', '2');
      await expect.poll(() => changes).toBe(2);
    } finally {
      watch.stop();
    }
  });
});
