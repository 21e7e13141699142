import { describe, expect, it, vi } from 'vitest';
import type { HandlerOutcome } from '../../../../src/local/lambda-runtime.ts';
import type { FunctionProcess, LoadOutcome } from '../../../../src/local/process/function-process.ts';
import { ProcessRuntime } from '../../../../src/local/process/process-runtime.ts';

const SETTINGS = { requestId: 'r', functionName: 'f', timeoutMs: 1_000, region: undefined };
const EVENT = { Records: [] };
const code = (file: string) => ({ file, text: '', exportName: 'handler', fromDefault: true });

/** A process whose invocations end when the test says so. */
class FakeProcess implements FunctionProcess {
  loaded: string | undefined;
  ended = false;
  readonly invocations: ((outcome: HandlerOutcome) => void)[] = [];
  readonly #loads: LoadOutcome;

  constructor(loads: LoadOutcome) {
    this.#loads = loads;
  }

  async load({ file }: { file: string }) {
    this.loaded = file;
    return this.#loads;
  }

  invoke() {
    return new Promise<HandlerOutcome>((resolve) => {
      this.invocations.push(resolve);
    });
  }

  kill() {
    this.ended = true;
  }
}

/** A runtime, and the processes that it has started; `loads` decides by the number of the process. */
function runtimeOf(loads: (index: number) => LoadOutcome = () => ({ ok: true, handler: { kind: 'other' } })) {
  const processes: FakeProcess[] = [];
  const runtime = new ProcessRuntime({
    start: () => {
      const process = new FakeProcess(loads(processes.length));
      processes.push(process);
      return process;
    },
    loadMs: 10_000,
    idleMs: 1_000,
  });
  const process = (index: number) => {
    const found = processes[index];
    if (found === undefined) throw new Error(`expected a process ${index}, got ${processes.length}`);
    return found;
  };
  /** Lets the oldest invocation of a process end. */
  const end = (index: number, outcome: HandlerOutcome = { kind: 'returned', response: index }) =>
    process(index).invocations.shift()?.(outcome);
  return { runtime, processes, process, end };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('ProcessRuntime', () => {
  it('loads the first code in the process that it has started ahead', async () => {
    const { runtime, processes, process } = runtimeOf();
    expect(processes).toHaveLength(1);
    expect(await runtime.load(code('a'))).toEqual({ ok: true, handler: { kind: 'other' } });
    expect([processes.length, process(0).loaded]).toEqual([1, 'a']);
  });

  it('uses a free process again, and starts another for an invocation beside it', async () => {
    const { runtime, processes, process, end } = runtimeOf();
    await runtime.load(code('a'));
    const first = runtime.invoke(EVENT, SETTINGS);
    const second = runtime.invoke(EVENT, SETTINGS);
    await settled();
    expect([processes.length, process(1).loaded]).toEqual([2, 'a']);
    end(0);
    expect(await first).toEqual({ kind: 'returned', response: 0 });
    const third = runtime.invoke(EVENT, SETTINGS);
    await settled();
    end(0);
    end(1);
    expect(await Promise.all([second, third])).toEqual([
      { kind: 'returned', response: 1 },
      { kind: 'returned', response: 0 },
    ]);
    expect(processes).toHaveLength(2);
  });

  it('starts a process in place of one that ended, during an invocation or after', async () => {
    const { runtime, processes, process, end } = runtimeOf();
    await runtime.load(code('a'));
    const first = runtime.invoke(EVENT, SETTINGS);
    await settled();
    process(0).ended = true;
    end(0, { kind: 'exited', reason: 'process.exit' });
    expect(await first).toEqual({ kind: 'exited', reason: 'process.exit' });
    const second = runtime.invoke(EVENT, SETTINGS);
    await settled();
    end(1);
    await second;
    process(1).ended = true;
    const third = runtime.invoke(EVENT, SETTINGS);
    await settled();
    end(2);
    expect(await third).toEqual({ kind: 'returned', response: 2 });
    expect(processes).toHaveLength(3);
  });

  it('invokes new code once it has loaded, ends free processes of the old, and lets those in use finish', async () => {
    const { runtime, process, end } = runtimeOf();
    await runtime.load(code('a'));
    const [busy, free] = [runtime.invoke(EVENT, SETTINGS), runtime.invoke(EVENT, SETTINGS)];
    await settled();
    end(1);
    await free;
    await runtime.load(code('b'));
    expect([process(0).ended, process(1).ended, process(2).loaded]).toEqual([false, true, 'b']);
    end(0);
    expect(await busy).toEqual({ kind: 'returned', response: 0 });
    expect(process(0).ended).toBe(true);
    const next = runtime.invoke(EVENT, SETTINGS);
    await settled();
    end(2);
    expect(await next).toEqual({ kind: 'returned', response: 2 });
  });

  it('keeps the old code where the new does not load', async () => {
    const { runtime, process, end } = runtimeOf((index) =>
      index === 1 ? { ok: false, problem: 'SyntaxError' } : { ok: true, handler: { kind: 'other' } },
    );
    await runtime.load(code('a'));
    expect(await runtime.load(code('b'))).toEqual({ ok: false, problem: 'SyntaxError' });
    expect([process(0).ended, process(1).ended]).toEqual([false, true]);
    const invocation = runtime.invoke(EVENT, SETTINGS);
    await settled();
    end(0);
    expect(await invocation).toEqual({ kind: 'returned', response: 0 });
  });

  it('fails an invocation whose further process does not load, with its first line', async () => {
    const { runtime, process } = runtimeOf((index) =>
      index === 1 ? { ok: false, problem: 'Error: no database\n    at x.ts:1' } : { ok: true, handler: { kind: 'other' } },
    );
    await runtime.load(code('a'));
    void runtime.invoke(EVENT, SETTINGS);
    expect(await runtime.invoke(EVENT, SETTINGS)).toEqual({ kind: 'exited', reason: 'a further process did not load: Error: no database' });
    expect(process(1).ended).toBe(true);
  });

  it('keeps one free process after a minute without invocations', async () => {
    vi.useFakeTimers();
    try {
      const { runtime, process, end } = runtimeOf();
      await runtime.load(code('a'));
      const both = [runtime.invoke(EVENT, SETTINGS), runtime.invoke(EVENT, SETTINGS)];
      await vi.advanceTimersByTimeAsync(0);
      end(0);
      end(1);
      await Promise.all(both);
      await vi.advanceTimersByTimeAsync(999);
      expect([process(0).ended, process(1).ended]).toEqual([false, false]);
      await vi.advanceTimersByTimeAsync(1);
      expect([process(0).ended, process(1).ended]).toEqual([false, true]);
    } finally {
      vi.useRealTimers();
    }
  });

  it('ends its processes at stop(), also one that loads at that moment', async () => {
    const { runtime, process } = runtimeOf();
    await runtime.load(code('a'));
    const loading = runtime.load(code('b'));
    runtime.stop();
    await loading;
    expect([process(0).ended, process(1).ended]).toEqual([true, true]);
  });
});
