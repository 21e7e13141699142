import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { invoke } from '../../../src/local/invocation.ts';
import { lambdaContext } from '../../../src/local/lambda-context.ts';

const EVENT = { Records: [] };
const context = () => lambdaContext({ functionName: 'f', timeoutMs: 1_000 });

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('invoke', () => {
  it('gives what the handler returned, and leaves no timer', async () => {
    expect(await invoke(async () => 'answer', EVENT, context(), 1_000)).toEqual({ kind: 'returned', response: 'answer' });
    expect(await invoke(() => 'answer', EVENT, context(), 1_000)).toEqual({ kind: 'returned', response: 'answer' });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('gives what the handler threw, at once or later', async () => {
    const error = new Error('no');
    expect(await invoke(() => Promise.reject(error), EVENT, context(), 1_000)).toEqual({ kind: 'threw', error });
    const throws = () => {
      throw error;
    };
    expect(await invoke(throws, EVENT, context(), 1_000)).toEqual({ kind: 'threw', error });
  });

  it('ends at the timeout, whatever the handler does later', async () => {
    const late = Promise.withResolvers<void>();
    const invocation = invoke(() => late.promise, EVENT, context(), 1_000);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await invocation).toEqual({ kind: 'timeout' });
    // Not an unhandled rejection, which would fail this run.
    late.reject(new Error('late'));
    await vi.advanceTimersByTimeAsync(0);
  });

  it('reports a timeout where the handler blocked the event loop past its time', async () => {
    const blocks = () => {
      vi.setSystemTime(Date.now() + 1_001);
      return 'answer';
    };
    expect(await invoke(blocks, EVENT, context(), 1_000)).toEqual({ kind: 'timeout' });
  });
});
