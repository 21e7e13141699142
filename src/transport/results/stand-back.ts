import { backoffMs } from '../../sqs/retry.ts';

/** A queue is left alone for up to so long. The poll of an instance that finds it empty pauses for a second at most. */
const BACKOFF = { firstMs: 50, maxMs: 1_000 };

export interface StandBackOptions {
  readonly onEnd: () => void;
  /** 0 to 1. */
  readonly random: () => number;
}

/**
 * Leaves a result to the instance that awaits it. An instance that has given one back polls again at once, before all
 * others; so the same one would receive it again and again, until the step that waits for it has timed out. So from its
 * second receive on, this instance begins no receive for a moment, longer each time.
 */
export class StandBack {
  isOn = false;
  readonly #options: StandBackOptions;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: StandBackOptions) {
    this.#options = options;
  }

  /** A result came that another instance awaits. */
  received(receiveCount: number): void {
    if (receiveCount >= 2) this.begin(receiveCount - 1);
  }

  /** Begins no receive for a moment: the longer, the more often it is so. */
  begin(times: number): void {
    if (this.isOn || this.#stopped) return;
    this.isOn = true;
    this.#timer = setTimeout(() => this.#end(), backoffMs(times, BACKOFF, this.#options.random));
  }

  /** No receive will follow. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.isOn = false;
  }

  #end(): void {
    this.isOn = false;
    this.#options.onEnd();
  }
}
