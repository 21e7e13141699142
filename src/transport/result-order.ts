import { TransportClosedError } from '../errors.ts';
import { steadyNow } from '../time.ts';
import type { StepResult } from '../wire/step-result.ts';
import { RecentIds } from './recent-ids.ts';
import type { DispatchedStep, Turns } from './turns.ts';

/** What is known of a result when it is handed over. */
export interface Handing {
  /** Its step was dispatched here. */
  readonly ours: boolean;
  /** A turn that is alive here waits for it in memory. */
  readonly awaited: boolean;
}

interface ArrivedResult {
  readonly result: StepResult;
  readonly deliver: () => Promise<void>;
  /** Not before this, by the steady clock, where another instance may have dispatched its step. */
  readonly notBefore: number;
  /** By the steady clock. */
  readonly cameAt: number;
}

interface HeldResult extends ArrivedResult {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Results of steps that another instance may have dispatched wait so long after they were sent: that instance gives up its lock on the
 * run before it has written the end of its turn, and nothing tells of that here. Longer than a store takes for two writes, its slow ones
 * included.
 */
const OTHERS_HOLD_MS = 250;
/** Steps of which it is remembered that this instance dispatched them. What is forgotten costs {@link OTHERS_HOLD_MS}, no more. */
const REMEMBERED_STEPS = 50_000;

/** What is going on for one run; exists only while something is. */
interface Lane {
  readonly held: HeldResult[];
  delivering: number;
  /** When the newest delivery began, by the steady clock. */
  begunAt: number;
  timer?: NodeJS.Timeout | undefined;
}

/**
 * Hands results to the engine one at a time per run, and not before the turn that dispatched their step has ended; across runs all
 * at once. What a turn waits for in memory goes straight through.
 *
 * Nothing is held longer than `maxHoldMs` after it came in, or after the result before it was handed over: whatever is wrong with what is
 * known of turns, a result arrives.
 */
export class ResultOrder {
  readonly #lanes = new Map<string, Lane>();
  /** Ids of steps that were dispatched here and have no result yet. */
  readonly #ours = new RecentIds(REMEMBERED_STEPS);
  readonly #maxHoldMs: number;
  readonly #turns: Turns;
  #closed = false;

  constructor(turns: (onTurnEnd: (runId: string) => void) => Turns, maxHoldMs: number) {
    this.#maxHoldMs = maxHoldMs;
    this.#turns = turns((runId) => this.#turnEnded(runId));
  }

  /** Runs of which something is held or with the engine. */
  get size(): number {
    return this.#lanes.size;
  }

  dispatching(step: DispatchedStep): void {
    this.#ours.add(step.stepId);
    this.#turns.dispatching(step);
  }

  dispatched(step: DispatchedStep): void {
    this.#turns.dispatched(step);
    const lane = this.#lanes.get(step.runId);
    if (lane !== undefined) this.#pump(step.runId, lane);
  }

  /**
   * Calls `deliver` when it is the result's turn; settles as `deliver` does.
   * @param sentAt when SQS accepted the result, epoch milliseconds; 0 for long ago
   * @throws TransportClosedError when the order was closed before that.
   */
  submit(result: StepResult, deliver: (handing: Handing) => Promise<void>, sentAt = 0): Promise<void> {
    const ours = this.#ours.delete(result.stepId);
    // Even when closed: a turn that close() waits for waits for this.
    if (this.#turns.passesThrough(result)) return deliver({ ours, awaited: true });
    if (this.#closed) return Promise.reject(closed());
    const lane = this.#lane(result.runId);
    const now = steadyNow();
    // SQS's clock may be ahead of ours.
    const notBefore = ours ? 0 : now + Math.min(sentAt - Date.now(), 0) + OTHERS_HOLD_MS;
    const arrived = { result, deliver: () => deliver({ ours, awaited: false }), notBefore, cameAt: now };
    if (lane.held.length === 0 && this.#goesAt(arrived, lane) <= now) return this.#deliver(lane, arrived);
    return new Promise((resolve, reject) => {
      lane.held.push({ ...arrived, resolve, reject });
      this.#pump(result.runId, lane);
    });
  }

  /** Rejects what is still held; what is with the engine goes on. */
  close(): void {
    this.#closed = true;
    for (const [runId, lane] of this.#lanes) {
      clearTimeout(lane.timer);
      for (const { reject } of lane.held.splice(0)) reject(closed());
      this.#dropIfIdle(runId, lane);
    }
  }

  #lane(runId: string): Lane {
    let lane = this.#lanes.get(runId);
    if (lane === undefined) {
      lane = { held: [], delivering: 0, begunAt: 0 };
      this.#lanes.set(runId, lane);
    }
    return lane;
  }

  #turnEnded(runId: string): void {
    const lane = this.#lanes.get(runId);
    // The event is emitted from inside the engine: let it finish what it is doing.
    if (lane !== undefined) queueMicrotask(() => this.#pump(runId, lane));
  }

  /** Starts every held result whose time has come, and sets a timer for the next one. */
  #pump(runId: string, lane: Lane): void {
    const now = steadyNow();
    let nextAt = Number.POSITIVE_INFINITY;
    for (const held of [...lane.held]) {
      const goesAt = this.#goesAt(held, lane);
      if (goesAt > now) {
        nextAt = Math.min(nextAt, goesAt);
      } else {
        lane.held.splice(lane.held.indexOf(held), 1);
        void this.#deliver(lane, held).then(held.resolve, held.reject);
      }
    }
    clearTimeout(lane.timer);
    lane.timer = Number.isFinite(nextAt) ? setTimeout(() => this.#pump(runId, lane), nextAt - now) : undefined;
    this.#dropIfIdle(runId, lane);
  }

  /** When a result may go, by the steady clock; infinite where an event has to come first. */
  #goesAt(arrived: ArrivedResult, lane: Lane): number {
    return Math.min(this.#latestAt(arrived, lane), Math.max(arrived.notBefore, this.#turns.readyAt(arrived.result)));
  }

  /**
   * When a result goes whatever is known of turns. Where another one of its run is with the engine, that one gets as
   * long: results that waited for a turn whose end was never written are overdue together, and at once would each begin a turn.
   */
  #latestAt({ cameAt }: ArrivedResult, { delivering, begunAt }: Lane): number {
    return (delivering > 0 ? Math.max(cameAt, begunAt) : cameAt) + this.#maxHoldMs;
  }

  async #deliver(lane: Lane, { result: { runId }, deliver }: ArrivedResult): Promise<void> {
    lane.delivering += 1;
    lane.begunAt = steadyNow();
    this.#turns.delivering(runId);
    try {
      await deliver();
    } finally {
      lane.delivering -= 1;
      if (lane.delivering === 0) this.#turns.delivered(runId);
      this.#pump(runId, lane);
    }
  }

  #dropIfIdle(runId: string, lane: Lane): void {
    if (lane.held.length === 0 && lane.delivering === 0 && this.#lanes.get(runId) === lane) this.#lanes.delete(runId);
  }
}

function closed(): TransportClosedError {
  return new TransportClosedError('the transport was closed before the result was handed to the engine');
}
