import { randomUUID } from 'node:crypto';
import type { HandlerOutcome, InvocationSettings } from '../../../local/lambda-runtime.ts';
import type { ProcessRuntime } from '../../../local/process/process-runtime.ts';
import { scheduledEvent } from '../../../local/scheduled-event.ts';
import { systemTiming, type Timing } from '../../../time.ts';

export interface EngineTicksOptions {
  readonly runtime: Pick<ProcessRuntime, 'invoke'>;
  readonly settings: Omit<InvocationSettings, 'requestId'>;
  readonly everyMs: number;
  readonly onTick: (outcome: HandlerOutcome, durationMs: number) => void;
  readonly timing?: Timing;
}

/**
 * The schedule of an engine's function: a tick at once, so that runs of an earlier session go on, then one each
 * interval. One that is still under way holds off the next. What fails is not tried again, as deployed: the next tick
 * does the same.
 */
export class EngineTicks {
  readonly #options: EngineTicksOptions;
  readonly #timing: Timing;
  readonly #stopped = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: EngineTicksOptions) {
    this.#options = options;
    this.#timing = options.timing ?? systemTiming;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves when a tick that is under way has ended. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      const startedAt = this.#timing.now();
      await this.#tick();
      const tookMs = this.#timing.now() - startedAt;
      await this.#timing.sleep(Math.max(0, this.#options.everyMs - tookMs), this.#stopped.signal);
    }
  }

  async #tick(): Promise<void> {
    const { runtime, settings, onTick } = this.#options;
    const startedAt = this.#timing.now();
    const outcome = await runtime.invoke(scheduledEvent({ region: settings.region }), { ...settings, requestId: randomUUID() });
    onTick(outcome, this.#timing.now() - startedAt);
  }
}
