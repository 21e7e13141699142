import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SqsLambdaHandler } from '../../../src/local/lambda-runtime.ts';
import { inProcessRuntime } from '../../../src/local/lambda-runtime.ts';

const SETTINGS = { requestId: 'r', functionName: 'f', timeoutMs: 1_000, region: 'eu-west-1' };
const invoke = (handler: SqsLambdaHandler) => inProcessRuntime(handler).invoke({ Records: [] }, SETTINGS);

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('inProcessRuntime', () => {
  it('gives what the handler returned, and leaves no timer', async () => {
    expect(await invoke(async () => 'answer')).toEqual({ kind: 'returned', response: 'answer' });
    expect(await invoke(() => 'answer')).toEqual({ kind: 'returned', response: 'answer' });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('gives what the handler threw, at once or later', async () => {
    const error = new Error('no');
    expect(await invoke(() => Promise.reject(error))).toEqual({ kind: 'threw', error });
    const throws = () => {
      throw error;
    };
    expect(await invoke(throws)).toEqual({ kind: 'threw', error });
  });

  it('gives the handler a context of its settings', async () => {
    const outcome = await invoke((_event, context) => [context.awsRequestId, context.functionName, context.getRemainingTimeInMillis()]);
    expect(outcome).toEqual({ kind: 'returned', response: ['r', 'f', 1_000] });
  });

  it('ends at the timeout, whatever the handler does later', async () => {
    const late = Promise.withResolvers<void>();
    const invocation = invoke(() => late.promise);
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
    expect(await invoke(blocks)).toEqual({ kind: 'timeout' });
  });
});
