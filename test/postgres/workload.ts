import { type RunStatus, SignalTimeoutError, type WorkflowCtx, type WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import type { WorkflowContext } from '../../src/workflow/index.ts';
import { FLAKY_FAILURES, type StepName, stampOf } from './steps.ts';

/** Kinds whose workflow runs in the engine's process, in a container or in a function. */
const EVERYWHERE = [
  'one',
  'chain',
  'fan',
  'flaky',
  'sleeper',
  'child',
  'children',
  'signal',
  'compensated',
  'undone',
  'single',
  'continued',
  'cancelled',
] as const;
/** The last one's turns run in a worker's process, as on Lambda. */
export const KINDS = [...EVERYWHERE, 'patient', 'turns'] as const;
/** Without steps that are awaited in memory, which a function refuses. */
const FUNCTION_KINDS = [...EVERYWHERE, 'deadline', 'turns'] as const;
export type Kind = (typeof KINDS)[number] | (typeof FUNCTION_KINDS)[number] | 'wide';
type LocalKind = Exclude<Kind, 'turns'>;
/** One fan-out of a hundred among many others. */
export const SERVERLESS_KINDS: readonly Kind[] = [...Array.from({ length: 4 }, () => FUNCTION_KINDS).flat(), 'wide'];

export interface Run {
  readonly runId: string;
  readonly kind: Kind;
}

/** What somebody asks of a run that has been started. */
export type Request = { readonly signal: string } | { readonly cancel: string };

/** Longest time that a run is at rest by its own will: between two attempts, and in its sleep. */
export const LONGEST_REST_MS = 1_000;
/**
 * A `timeoutMs` step is given up after this: far above what a step takes, on a busy machine too. A result that is lost
 * never comes home.
 */
const PATIENCE_MS = 15_000;
const FAN = 'abcdefghij';
const WIDE = Array.from({ length: 100 }, (_, index) => `w${index}`);
/** A signal comes before its run waits for it, while it begins to, and after; so does a cancel. */
export const LATEST_REQUEST_MS = 1_500;
/** How the engine names the run that goes on after `continueAsNew`. */
const CONTINUATION = '~1';

type Step = (name: StepName, label: string, options?: Parameters<WorkflowCtx['step']>[2]) => Promise<unknown>;

const WORKFLOWS: Readonly<Record<LocalKind, (ctx: WorkflowCtx, step: Step, runId: string) => Promise<unknown>>> = {
  one: async (_ctx, step) => [await step('postgres.work', 'a')],
  async chain(_ctx, step) {
    const outputs: unknown[] = [];
    for (const label of 'abc') outputs.push(await step('postgres.work', label));
    return outputs;
  },
  async fan(_ctx, step) {
    const outputs = await Promise.all([...FAN].map((label) => step('postgres.work', label)));
    return [...outputs, await step('postgres.work', 'k')];
  },
  async flaky(_ctx, step) {
    const first = await step('postgres.flaky', 'a', { retries: FLAKY_FAILURES + 1, backoffMs: 400 });
    return [first, await step('postgres.work', 'b')];
  },
  async sleeper(ctx, step) {
    const first = await step('postgres.work', 'a');
    await ctx.sleep(LONGEST_REST_MS);
    return [first, await step('postgres.work', 'b')];
  },
  async child(ctx, step, runId) {
    const first = await step('postgres.work', 'a');
    return [first, await ctx.child('one', { runId: `${runId}.child.1` })];
  },
  /** Three children that end at the same time, each of which wakes its parent. */
  async children(ctx, step, runId) {
    const outputs = await ctx.all(
      'one',
      [0, 1, 2].map((index) => ({ runId: `${runId}.all.0.${index}` })),
    );
    return [...outputs, await step('postgres.work', 'b')];
  },
  async signal(ctx, step, runId) {
    const first = await step('postgres.work', 'a');
    const signalled = await ctx.waitForSignal(signalOf(runId));
    return [first, signalled, await step('postgres.work', 'b')];
  },
  async compensated(_ctx, step) {
    await step('postgres.work', 'a', { compensate: 'postgres.undo' });
    return step('postgres.decline', 'b', { retries: 3 });
  },
  /** A step may complete after another has failed the run, and is undone all the same. */
  async undone(_ctx, step) {
    const undoable = (label: string) => step('postgres.work', label, { compensate: 'postgres.undo' });
    return Promise.all([undoable('a'), step('postgres.decline', 'b', { retries: 3 }), undoable('c'), undoable('d')]);
  },
  /** A step with a durable deadline, which is over before anybody answers. */
  async deadline(ctx, step, runId) {
    const first = await step('postgres.work', 'a');
    try {
      return [first, await ctx.waitForSignal(`never:${runId}`, { timeoutMs: 700 })];
    } catch (error) {
      if (!(error instanceof SignalTimeoutError)) throw error;
      return [first, 'too late', await step('postgres.work', 'b')];
    }
  },
  async wide(_ctx, step) {
    const outputs = await Promise.all(WIDE.map((label) => step('postgres.work', label)));
    return [...outputs, await step('postgres.work', 'end')];
  },
  async patient(_ctx, step) {
    const first = await step('postgres.work', 'a', { timeoutMs: PATIENCE_MS });
    return [first, await step('postgres.work', 'b', { timeoutMs: PATIENCE_MS })];
  },
  single: async (_ctx, step) => [await step('postgres.work', 'a')],
  async continued(ctx, step, runId) {
    const output = await step('postgres.work', 'a');
    return runId.endsWith(CONTINUATION) ? [output] : ctx.continueAsNew({ runId: `${runId}${CONTINUATION}` });
  },
  async cancelled(ctx, step, runId) {
    await step('postgres.work', 'a');
    return ctx.waitForSignal(`never:${runId}`);
  },
};

/** A step, a fan-out, a sleep, a signal and a child, which runs in the engine's process. */
export async function turns(ctx: WorkflowContext, input: unknown): Promise<unknown> {
  const runId = runIdOf(input);
  const step = (label: string) => ctx.step<string>('postgres.work', { runId, label });
  const outputs = [await step('a'), ...(await Promise.all(['b', 'c'].map(step)))];
  await ctx.sleep(LONGEST_REST_MS);
  const signalled = await ctx.waitForSignal(signalOf(runId));
  return [...outputs, signalled, await ctx.child('one', { runId: `${runId}.child.5` })];
}

const ONE_AT_A_TIME = { singleton: { key: () => 'all' } };

/** Their runs fail, and are over when these steps of theirs are undone, by label. */
export const UNDONE: Partial<Readonly<Record<Kind, readonly string[]>>> = { compensated: ['a'], undone: ['a', 'c', 'd'] };

/**
 * What a run of a kind gives; one of {@link UNDONE} fails with this message, and a cancelled one ends with it.
 */
const EXPECTED: Readonly<Record<Kind, (runId: string) => unknown>> = {
  one: (runId) => [work(runId, 'a')],
  chain: (runId) => [...'abc'].map((label) => work(runId, label)),
  fan: (runId) => [...FAN, 'k'].map((label) => work(runId, label)),
  flaky: (runId) => [stampOf('postgres.flaky', { runId, label: 'a' }), work(runId, 'b')],
  sleeper: (runId) => [work(runId, 'a'), work(runId, 'b')],
  child: (runId) => [work(runId, 'a'), [work(`${runId}.child.1`, 'a')]],
  children: (runId) => [...[0, 1, 2].map((index) => [work(`${runId}.all.0.${index}`, 'a')]), work(runId, 'b')],
  signal: (runId) => [work(runId, 'a'), { for: runId }, work(runId, 'b')],
  compensated: (runId) => `declined ${stampOf('postgres.decline', { runId, label: 'b' })}`,
  undone: (runId) => `declined ${stampOf('postgres.decline', { runId, label: 'b' })}`,
  deadline: (runId) => [work(runId, 'a'), 'too late', work(runId, 'b')],
  wide: (runId) => [...WIDE, 'end'].map((label) => work(runId, label)),
  patient: (runId) => [work(runId, 'a'), work(runId, 'b')],
  single: (runId) => [work(runId, 'a')],
  continued: (runId) => [work(`${runId}${CONTINUATION}`, 'a')],
  cancelled: () => 'cancelled',
  turns: (runId) => [...[...'abc'].map((label) => work(runId, label)), { for: runId }, [work(`${runId}.child.5`, 'a')]],
};

export function register(engine: WorkflowEngine): void {
  engine.remote('turns', { group: 'turns' });
  for (const [kind, workflow] of Object.entries(WORKFLOWS)) {
    engine.register(
      kind,
      '1',
      (ctx, input) => {
        const runId = runIdOf(input);
        const step: Step = (name, label, options = {}) => ctx.step(name, { runId, label }, options);
        return workflow(ctx, step, runId);
      },
      kind === 'single' ? ONE_AT_A_TIME : {},
    );
  }
}

/** Runs of some kinds, each as often, in turn. */
export function makeRuns(name: string, count: number, kinds: readonly Kind[]): Run[] {
  return Array.from({ length: count }, (_, index) => {
    const kind = kinds[index % kinds.length] ?? 'one';
    return { runId: `${name}-${kind}-${index}`, kind };
  });
}

const STATUS: Partial<Readonly<Record<Kind, RunStatus>>> = { compensated: 'failed', undone: 'failed', cancelled: 'cancelled' };

/** How the last run of a run ends, with its output or its error's message. */
export function expectedOf({ kind, runId }: Run): { readonly status: RunStatus; readonly gives: unknown } {
  return { status: STATUS[kind] ?? 'completed', gives: EXPECTED[kind](runId) };
}

/** The run that ends as {@link expectedOf} says. */
export function lastRunIdOf({ kind, runId }: Run): string {
  return kind === 'continued' ? `${runId}${CONTINUATION}` : runId;
}

export function requestFor({ kind, runId }: Run): Request | undefined {
  if (kind === 'signal' || kind === 'turns') return { signal: runId };
  return kind === 'cancelled' ? { cancel: runId } : undefined;
}

/** Token of the signal that a run waits for. */
export function signalOf(runId: string): string {
  return `go:${runId}`;
}

function work(runId: string, label: string): string {
  return stampOf('postgres.work', { runId, label });
}

function runIdOf(input: unknown): string {
  if (typeof input === 'object' && input !== null && 'runId' in input && typeof input.runId === 'string') return input.runId;
  throw new Error('the input is not one of this test');
}
