/**
 * What this process has measured: how long sends and steps take here. A function beside its queue sends in 10 ms, one
 * behind a NAT in 300.
 */

/** Sends remembered. Enough that one slow send is not forgotten at once, few enough that an outage is after a while. */
const SENDS_REMEMBERED = 16;
/** Before the first send nothing is known; that one also opens the connection, and may load the SDK. */
const UNKNOWN_MS = 1_000;
/** Timers that fire late, a garbage collection, Lambda's own way from the answer to the end of the invocation. */
const FLOOR_MS = 250;
/** More would take from steps what only an outage needs; then nothing gets through anyway. */
const CEILING_MS = 5_000;
/** Of the time an invocation has, at most this part is kept back: a short timeout must still leave time to work. */
const LARGEST_SHARE = 0.25;
/**
 * The slowest of the last sends may be exceeded: twice it, and once it for each request that has to wait for others.
 */
const SLACK = 2;
/** Results that leave at the same time: ten in a request, two requests in flight. */
const SENDS_AT_ONCE = 20;

/**
 * How long sending a result takes, and so how long before its end an invocation must stop working to send and answer
 * what is left.
 */
export class SendTimes {
  readonly #recentMs: number[] = [];
  #next = 0;

  /** A send has taken so long, its waiting for others included, whatever its outcome. */
  add(ms: number): void {
    this.#recentMs[this.#next] = ms;
    this.#next = (this.#next + 1) % SENDS_REMEMBERED;
  }

  /**
   * @param availableMs time that the invocation has
   * @param results how many may have to be sent in the end
   * @param given what the user wants instead: half of the time at most, since no step could start with more
   */
  reserveMs(availableMs: number, results: number, given?: number): number {
    if (given !== undefined) return Math.min(given, availableMs / 2);
    const slowest = this.#recentMs.length === 0 ? undefined : Math.max(...this.#recentMs);
    const needed = slowest === undefined ? UNKNOWN_MS : slowest * (SLACK + Math.ceil(results / SENDS_AT_ONCE));
    return Math.min(Math.max(needed, FLOOR_MS), CEILING_MS, availableMs * LARGEST_SHARE);
  }
}

/** Weight of the newest run: a step that became slow is known to be after a few runs, one odd run changes little. */
const NEWEST = 1 / 8;

/** How long each of these steps takes, as a moving average. */
export class StepTimes {
  readonly #steps: ReadonlyMap<string, { averageMs?: number }>;

  constructor(steps: Iterable<string>) {
    this.#steps = new Map(Array.from(steps, (step) => [step, {}]));
  }

  /** Nothing for a step that is not one of these: a task may name any. */
  add(step: string, ms: number): void {
    const times = this.#steps.get(step);
    if (times !== undefined) times.averageMs = (times.averageMs ?? ms) + (ms - (times.averageMs ?? ms)) * NEWEST;
  }

  /** Undefined before its first run. */
  typicalMs(step: string): number | undefined {
    return this.#steps.get(step)?.averageMs;
  }
}
