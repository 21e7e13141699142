import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineInstance } from './engine-instance.ts';
import type { Ledger } from './ledger.ts';
import type { Run } from './runs.ts';
import type { Outside } from './workloads.ts';

/** Far above what an engine takes whose store answers. */
const ANSWERED_MS = 3_000;
const MOST_DELAY_MS = 1_500;

/** Somebody who signals runs and cancels them, and asks another engine where one is gone. */
export class Outsider {
  readonly #instances: () => readonly EngineInstance[];
  readonly #ledger: Ledger;
  readonly #random: () => number;
  readonly #busy = new Set<Promise<void>>();
  readonly #done = new Set<string>();

  constructor(instances: () => readonly EngineInstance[], ledger: Ledger, random: () => number) {
    this.#instances = instances;
    this.#ledger = ledger;
    this.#random = random;
  }

  /** Acts a random while later, once for each run. */
  soon(run: Run, act: Outside): void {
    if (this.#done.has(run.runId)) return;
    this.#done.add(run.runId);
    const delay = this.#random() * MOST_DELAY_MS;
    const busy = sleep(delay).then(() => this.#act(run, act));
    this.#busy.add(busy);
    void busy.finally(() => this.#busy.delete(busy));
  }

  async idle(): Promise<void> {
    await Promise.all(this.#busy);
  }

  async #act({ runId }: Run, act: Outside): Promise<void> {
    for (let tries = 0; ; tries += 1) {
      const instances = this.#instances();
      const instance = instances[tries % instances.length];
      const answered = instance && (act === 'cancel' ? instance.cancel(runId) : instance.signal(act.signal));
      // An engine that is killed never answers, one whose store is down rejects.
      const done = await Promise.race([answered?.then(() => true), sleep(ANSWERED_MS, false)]).catch(() => false);
      if (done === true) {
        if (act === 'cancel') this.#ledger.cancelled(runId);
        return;
      }
      if (act !== 'cancel') this.#ledger.signalCutShort(runId);
      await sleep(100);
    }
  }
}
