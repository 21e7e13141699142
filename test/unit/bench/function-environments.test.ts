import { describe, expect, it } from 'vitest';
import { FunctionEnvironments } from '../../../bench/demo/function-environments.ts';
import { lambdaContext } from '../../../src/local/lambda-context.ts';
import { deferred } from '../../support/deferred.ts';

const CONTEXT = lambdaContext({ functionName: 'engine', timeoutMs: 1_000 });

function environments(killEvery = Number.POSITIVE_INFINITY) {
  let made = 0;
  return new FunctionEnvironments<string>(() => {
    made += 1;
    const name = made;
    return async (event) => `${event} in ${name}`;
  }, killEvery);
}

describe('function environments of the demo', () => {
  it('an environment that is free takes the next invocation', async () => {
    const { invoke, use } = environments();

    expect([await invoke('a', CONTEXT), await invoke('b', CONTEXT)]).toEqual(['a in 1', 'b in 1']);
    expect(use).toMatchObject({ invocations: 2, environments: 1, killed: 0 });
  });

  it('invocations at the same time have an environment each', async () => {
    const open = deferred<void>();
    const { invoke, use } = new FunctionEnvironments<string>(() => () => open.promise, 10);

    const both = [invoke('a', CONTEXT), invoke('b', CONTEXT)];
    open.resolve();
    await Promise.all(both);

    expect(use).toMatchObject({ invocations: 2, environments: 2 });
  });

  it('a killed environment has done its work, answers nothing and takes no more', async () => {
    const { invoke, use } = environments(2);
    await invoke('a', CONTEXT);

    await expect(invoke('b', CONTEXT)).rejects.toThrow('killed after its work');

    expect(await invoke('c', CONTEXT)).toBe('c in 2');
    expect(use).toMatchObject({ invocations: 3, environments: 2, killed: 1 });
  });

  it('a function that throws keeps its environment, as on Lambda', async () => {
    const { invoke, use } = new FunctionEnvironments<string>(() => () => Promise.reject(new Error('no')), 10);

    await expect(invoke('a', CONTEXT)).rejects.toThrow('no');
    await expect(invoke('b', CONTEXT)).rejects.toThrow('no');

    expect(use).toMatchObject({ invocations: 2, environments: 1 });
  });

  it('each started millisecond of an invocation is billed', async () => {
    const { invoke, use } = environments();
    await invoke('a', CONTEXT);

    expect(use.billedMs).toBeGreaterThanOrEqual(1);
    expect(Number.isInteger(use.billedMs)).toBe(true);
  });
});
