import { isDeepStrictEqual } from 'node:util';
import type { InMemoryStateStore, WorkflowCtx, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { drawRuns, type Run } from './runs.ts';
import { type StepName, stampOf, type Ticket, undone } from './steps.ts';
import { STORE_IS_DOWN } from './stores.ts';
import { type Evidence, type Verdict, whereItIs } from './verdict.ts';

export type Kind = 'one' | 'three' | 'fan' | 'patient' | 'retried' | 'compensated';

const STEPS_OF: Readonly<Record<Kind, number>> = { one: 1, three: 3, fan: 5, patient: 2, retried: 2, compensated: 3 };
/** Awaited in memory by one engine instance: far above any delay of the test. */
const PATIENCE_MS = 60_000;
/** Attempts of a step that fails at its first one only. */
const FLAKY_RETRIES = 3;

/**
 * Runs of all kinds, of `steps` steps together.
 * @param name first part of the run ids: scenarios side by side never share one
 * @param kinds which kinds take part; a result of a `patient` one is lost to it where another engine instance receives
 * it
 */
export function makeRuns(name: string, steps: number, kinds: readonly Kind[], random: () => number): Run<Kind>[] {
  return drawRuns(name, steps, STEPS_OF, kinds, random);
}

/** Whether the run's steps have a `timeoutMs`: its turn waits for each result in memory. */
export function isAwaitedInMemory(runId: string): boolean {
  return runId.includes('-patient-');
}

export function register(engine: WorkflowEngine): void {
  const step = (ctx: WorkflowCtx, name: StepName, run: Run<Kind>, label: string, options = {}) =>
    ctx.step(name, ticket(run, label), options);
  const workflows: Readonly<Record<Kind, (ctx: WorkflowCtx, run: Run<Kind>) => Promise<unknown>>> = {
    one: async (ctx, run) => [await step(ctx, 'faults.work', run, 'a')],
    async three(ctx, run) {
      const outputs: unknown[] = [];
      for (const label of ['a', 'b', 'c']) outputs.push(await step(ctx, 'faults.work', run, label));
      return outputs;
    },
    async fan(ctx, run) {
      const outputs = await Promise.all(['a', 'b', 'c', 'd'].map((label) => step(ctx, 'faults.work', run, label)));
      return [...outputs, await step(ctx, 'faults.work', run, 'e')];
    },
    async patient(ctx, run) {
      const first = await step(ctx, 'faults.work', run, 'a', { timeoutMs: PATIENCE_MS });
      return [first, await step(ctx, 'faults.work', run, 'b', { timeoutMs: PATIENCE_MS })];
    },
    async retried(ctx, run) {
      const first = await step(ctx, 'faults.flaky', run, 'a', { retries: FLAKY_RETRIES, backoffMs: 20 });
      return [first, await step(ctx, 'faults.work', run, 'b')];
    },
    async compensated(ctx, run) {
      await step(ctx, 'faults.work', run, 'a', { compensate: 'faults.undo' });
      return step(ctx, 'faults.decline', run, 'b', { retries: 3 });
    },
  };
  for (const [kind, workflow] of Object.entries(workflows)) engine.register(kind, '1', (ctx, input) => workflow(ctx, runOf(input)));
}

export async function judge(run: Run<Kind>, store: InMemoryStateStore, evidence: Evidence): Promise<Verdict> {
  const stored = await store.getRun(run.runId);
  const wrong = (why: string): Verdict => ({ outcome: 'wrong', why: `${run.runId}: ${why}` });
  if (stored === null || stored === undefined) return wrong('it is not in the store');
  const { status, error } = stored;
  if (status === 'failed' && error?.message === STORE_IS_DOWN && evidence.storeFailedIn(run.runId)) {
    return { outcome: 'limit', limit: 'the engine failed a run whose turn met the store outage' };
  }
  const timedOut = status === 'failed' && run.kind === 'patient' && error?.message.includes('no result/heartbeat') === true;
  if (timedOut && [0, 1].some((seq) => error.message.includes(`${run.runId}:${seq} `) && evidence.awaitedTwice(`${run.runId}:${seq}`))) {
    return { outcome: 'limit', limit: 'two turns of a run, by a lapsed lease or by a pass, waited in memory for one result' };
  }
  if (run.kind === 'compensated') {
    if (status !== 'failed' && status !== 'completed') return wrong(`it is stuck: ${status}, ${await whereItIs(run.runId, store)}`);
    if (status !== 'failed') return wrong(`expected it to fail and be compensated, it is ${status}`);
    if (error?.message !== `declined ${stampOf('faults.decline', ticket(run, 'b'))}`)
      return wrong(`it failed with another error (${error?.message ?? 'none'})`);
    const envelopes = undone.get(run.runId) ?? [];
    const expected = { input: ticket(run, 'a'), output: { stamp: stampOf('faults.work', ticket(run, 'a')) } };
    if (envelopes.length === 0) {
      // `redispatchPending` sends it under the name of its checkpoint (`compensate:…`), which no worker has a function
      // for.
      const compensation = (await store.listCheckpoints(run.runId)).find(({ seq }) => seq === -1);
      if (compensation?.error?.code === 'no_handler' && evidence.redispatched(`${run.runId}:-1`)) {
        return { outcome: 'limit', limit: "an operator's redispatch of a compensation went nowhere" };
      }
      return wrong('it was not compensated');
    }
    return envelopes.every((envelope) => isDeepStrictEqual(envelope, expected))
      ? { outcome: 'right' }
      : wrong('it was compensated with the values of another step');
  }
  if (status !== 'completed' && status !== 'failed') return wrong(`it is stuck: ${status}, ${await whereItIs(run.runId, store)}`);
  if (status !== 'completed')
    return wrong(`expected it to be completed, it is ${status}${error === undefined ? '' : ` (${error.message})`}`);
  return isDeepStrictEqual(stored.output, expectedOutput(run)) ? { outcome: 'right' } : wrong('its outputs are those of other steps');
}

function expectedOutput(run: Run<Kind>): unknown {
  const labels: Readonly<Record<Exclude<Kind, 'compensated'>, string>> = {
    one: 'a',
    three: 'abc',
    fan: 'abcde',
    patient: 'ab',
    retried: 'ab',
  };
  if (run.kind === 'compensated') return undefined;
  return [...labels[run.kind]].map((label) => {
    const step = run.kind === 'retried' && label === 'a' ? 'faults.flaky' : 'faults.work';
    return { stamp: stampOf(step, ticket(run, label)) };
  });
}

function ticket({ runId, nonce }: Run<Kind>, label: string): Ticket {
  return { runId, label, nonce };
}

function runOf(input: unknown): Run<Kind> {
  const run = typeof input === 'object' && input !== null ? input : {};
  if ('runId' in run && 'nonce' in run && typeof run.runId === 'string' && typeof run.nonce === 'number') {
    return { runId: run.runId, nonce: run.nonce, kind: 'one' };
  }
  throw new Error('the input is not one of this test');
}
