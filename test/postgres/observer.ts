import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SQSClient } from '@aws-sdk/client-sqs';
import { untilEmpty } from '../faults/queue-depth.ts';
import type { OpenedStore } from './database/open-store.d.mts';
import { UNDONE } from './workload.ts';

const LOOK_EVERY_MS = 250;
/** A run that goes on for ever is as wrong as one that sleeps. */
const MOST_WAITED_MS = 300_000;

export interface ObserverOptions {
  readonly database: OpenedStore;
  readonly sqs: SQSClient;
  readonly queueUrls: readonly string[];
  readonly executions: string;
}

/** Looks at the database and the queues, never at an engine: these are killed. */
export class Observer {
  readonly #options: ObserverOptions;

  constructor(options: ObserverOptions) {
    this.#options = options;
  }

  /** Runs that have not ended, children among them, and those that have failed and have steps to undo. */
  async open(): Promise<string[]> {
    const undoing = Object.entries(UNDONE).map(
      ([kind, labels]) => `
      or workflow = '${kind}' and ${labels.length} > (
        select count(*) from durable_step_checkpoints where run_id = run.id and name like 'compensate:%' and status = 'completed'
      )`,
    );
    const rows = await this.#query(`
      select id from durable_workflow_runs as run
      where status not in ('completed', 'failed', 'cancelled', 'dead') ${undoing.join('')}`);
    return rows.map(({ id }) => String(id));
  }

  /**
   * Waits until every run has ended, and all of `runIds` exist, or nothing has moved for `quietMs`: no run ended, no
   * step was settled or run, no message left or came, and no process died. Not for longer than
   * {@link MOST_WAITED_MS}.
   * @param deaths how many processes have died. @default none dies any more
   * @returns what is open then
   */
  async untilQuiet(runIds: readonly string[], quietMs: number, isGiving: () => boolean, deaths: () => number = () => 0): Promise<string[]> {
    const ids = runIds.map((id) => `'${id}'`).join();
    let [last, since] = ['', Date.now()];
    const deadline = since + MOST_WAITED_MS;
    for (;;) {
      const open = await this.open();
      const started = await this.#count(`select count(*) as count from durable_workflow_runs where id in (${ids})`);
      if (open.length === 0 && started === runIds.length && !isGiving()) return [];
      if (Date.now() > deadline) return open;
      const settled = await this.#count(`select count(*) as count from durable_step_checkpoints where status in ('completed', 'failed')`);
      const left = await untilEmpty(this.#options.sqs, this.#options.queueUrls, 0).catch(() => -1);
      const state = `${started} ${open.length} ${settled} ${left} ${statSync(this.#options.executions).size} ${deaths()}`;
      // A message that is with an engine, or hidden since the death of one, is still to come.
      if (state !== last || isGiving() || (left !== 0 && Date.now() - since < quietMs + MOST_HIDDEN_MS)) {
        if (state !== last) since = Date.now();
        last = state;
      } else if (Date.now() - since > quietMs) {
        return open;
      }
      await sleep(LOOK_EVERY_MS);
    }
  }

  async #count(sql: string): Promise<number> {
    return Number((await this.#query(sql))[0]?.['count'] ?? 0);
  }

  /** The database may be restarting. */
  async #query(sql: string): Promise<readonly Record<string, unknown>[]> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#options.database.query(sql);
      } catch (error) {
        if (tries === 20) throw error;
        await sleep(LOOK_EVERY_MS);
      }
    }
  }
}

/** An engine hides what it receives for 30 seconds; a worker's tasks come back sooner. */
const MOST_HIDDEN_MS = 35_000;
