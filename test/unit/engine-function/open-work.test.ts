import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OpenWork } from '../../../src/engine-function/open-work.ts';
import { systemTiming } from '../../../src/time.ts';
import { asTurn, outlastOutage } from '../../../src/transport/engine/outlast-outage.ts';

describe('a call that the store does not answer', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] }));
  afterEach(() => void vi.useRealTimers());

  it('goes out again, but not for a turn that was abandoned: it would write what another environment has gone past', async () => {
    const store = { ask: async () => undefined, timing: systemTiming };
    const calls: string[] = [];
    const call = (name: string) => () =>
      OpenWork.ofStore(() => {
        calls.push(name);
        return new Promise<void>(() => {});
      }, false);
    const [first, abandoned] = [new OpenWork(), new OpenWork()];
    void first.run(() => asTurn('run', () => outlastOutage(call('first'), store)));
    void abandoned.run(() => asTurn('run', () => outlastOutage(call('abandoned'), store)));
    abandoned.abandon();
    await vi.advanceTimersByTimeAsync(16_000);
    expect(calls).toEqual(['first', 'abandoned', 'first']);
  });
});
