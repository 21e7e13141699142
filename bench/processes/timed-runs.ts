import type { StateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { ECHO_STEP } from '../peers/echo-step.ts';
import { type Fields, numberOf } from './fields.ts';
import { serveCommands } from './serve-commands.ts';

/** A run that takes longer than this has been lost. */
const LOST_AFTER_MS = 20_000;
/** For the writes of turns that end after their run has completed. */
const SETTLE_MS = 200;

/** Starts runs on one engine, and times them. */
export class TimedRuns {
  readonly #engine: WorkflowEngine;
  readonly #store: StateStore;
  readonly #completions = new Map<string, () => void>();
  readonly #workflow: string;
  #lastRun = 0;

  constructor(engine: WorkflowEngine, store: StateStore, workflow = 'one-step') {
    this.#workflow = workflow;
    this.#engine = engine;
    this.#store = store;
    engine.register('one-step', '1', (ctx, input) => ctx.step(ECHO_STEP, { input }));
    engine.subscribe(({ type, runId }) => {
      if (type === 'run.completed') this.#completions.get(runId)?.();
    });
  }

  /** All runs started in one go; the time until the last has completed. */
  async atOnce(fields: Fields): Promise<Fields> {
    const runIds = this.#newRunIds(numberOf(fields, 'runs'));
    const progress = { completed: 0, lastAt: performance.now() };
    const startedAt = performance.now();
    const all = Promise.all(
      runIds.map((runId) =>
        this.#runOnce(runId).then(() => {
          progress.completed += 1;
          progress.lastAt = performance.now();
        }),
      ),
    );
    while (!(await within(LOST_AFTER_MS, all)) && performance.now() - progress.lastAt < LOST_AFTER_MS);
    return { milliseconds: progress.lastAt - startedAt, completed: progress.completed, wrong: await this.#wrongRuns(runIds) };
  }

  /** One run after another; the time of each. */
  async oneByOne(fields: Fields): Promise<Fields> {
    const runIds = this.#newRunIds(numberOf(fields, 'runs'));
    const latencies: number[] = [];
    for (const runId of runIds) {
      const startedAt = performance.now();
      if (await within(LOST_AFTER_MS, this.#runOnce(runId))) latencies.push(performance.now() - startedAt);
    }
    return { latencies, wrong: await this.#wrongRuns(runIds) };
  }

  async #runOnce(runId: string): Promise<void> {
    const completed = new Promise<void>((resolve) => this.#completions.set(runId, resolve));
    await this.#engine.start(this.#workflow, { runId }, runId);
    await completed;
    this.#completions.delete(runId);
  }

  #newRunIds(count: number): string[] {
    const first = this.#lastRun;
    this.#lastRun += count;
    return Array.from({ length: count }, (_, index) => `run-${first + index}`);
  }

  /**
   * Runs that are not `completed` in the store. A result taken before its turn had ended leaves one asleep for minutes.
   */
  async #wrongRuns(runIds: readonly string[]): Promise<number> {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    let wrong = 0;
    for (const runId of runIds) if ((await this.#store.getRun(runId))?.status !== 'completed') wrong += 1;
    return wrong;
  }
}

/** An engine's process: `open` makes its runs, and the other commands time them. */
export function serveRuns(open: (fields: Fields) => TimedRuns | Promise<TimedRuns>): void {
  let runs: TimedRuns | undefined;
  const opened = () => {
    if (runs === undefined) throw new Error('expected the command open first');
    return runs;
  };
  serveCommands({
    open: async (fields) => {
      runs = await open(fields);
      return {};
    },
    atOnce: (fields) => opened().atOnce(fields),
    oneByOne: (fields) => opened().oneByOne(fields),
  });
}

async function within(milliseconds: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  const inTime = await Promise.race([work.then(() => true), late]);
  clearTimeout(timer);
  return inTime;
}
