import { describe, expect, it } from 'vitest';
import { Lanes } from '../../../src/sqs/lanes.ts';
import { deferred, stateOf } from '../../support/deferred.ts';
import { settle } from '../../support/fake-timing.ts';

describe('lanes', () => {
  it('run work of one key in order, and of different keys at once', async () => {
    const lanes = new Lanes();
    const begun: string[] = [];
    const work = new Map(['a1', 'a2', 'b1'].map((name) => [name, deferred<string>()]));
    const results = [...work].map(([name, { promise }]) =>
      lanes.run(name.charAt(0), () => {
        begun.push(name);
        return promise;
      }),
    );
    expect(begun).toEqual(['a1', 'b1']);
    work.get('a1')?.resolve('done');
    await settle();
    expect(begun).toEqual(['a1', 'b1', 'a2']);
    expect(await results[0]).toBe('done');
    expect(lanes.size).toBe(2);
  });

  it('go on after work that failed, and forget a key that has nothing left', async () => {
    const lanes = new Lanes();
    const failed = lanes.run('a', () => Promise.reject(new Error('failed')));
    const next = lanes.run('a', async () => 'next');
    await expect(failed).rejects.toThrow('failed');
    expect(await next).toBe('next');
    await lanes.idle();
    expect(lanes.size).toBe(0);
  });

  it('are idle when what was asked for meanwhile has ended too', async () => {
    const lanes = new Lanes();
    const later = deferred<void>();
    void lanes.run('a', async () => void lanes.run('b', () => later.promise));
    const idle = lanes.idle();
    await settle();
    expect(await stateOf(idle)).toBe('pending');
    later.resolve();
    expect(await stateOf(idle)).toBe('fulfilled');
  });
});
