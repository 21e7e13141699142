import { describe, expect, it } from 'vitest';
import { MessageGroups } from '../../../src/local/message-groups.ts';

/** Work that is noted when it starts, and ends when told to. */
function controlled(groups: MessageGroups, started: string[]) {
  return (name: string, ...ids: string[]) => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const done = groups.run(new Set(ids), () => {
      started.push(name);
      return promise;
    });
    return { done, resolve: () => resolve(name), reject };
  };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('MessageGroups', () => {
  it('runs work on other groups at once, on the same one in turn', async () => {
    const started: string[] = [];
    const run = controlled(new MessageGroups(), started);
    const first = run('first', 'a', 'b');
    const second = run('second', 'b', 'c');
    const other = run('other', 'd');
    const third = run('third', 'c');
    await settled();
    expect(started).toEqual(['first', 'other']);
    first.resolve();
    expect(await first.done).toBe('first');
    await settled();
    expect(started).toEqual(['first', 'other', 'second']);
    second.resolve();
    await settled();
    expect(started).toEqual(['first', 'other', 'second', 'third']);
    third.resolve();
    other.resolve();
    await Promise.all([second.done, third.done, other.done]);
  });

  it('goes on after work that failed', async () => {
    const started: string[] = [];
    const run = controlled(new MessageGroups(), started);
    const first = run('first', 'a');
    const second = run('second', 'a');
    first.reject(new Error('no'));
    await expect(first.done).rejects.toThrow('no');
    second.resolve();
    expect(await second.done).toBe('second');
  });
});
