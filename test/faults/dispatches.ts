import { isTurnId, runIdOf } from './history.ts';
import type { Turn } from './turn.ts';

/** Why an attempt of a step was dispatched once more. All but `none` is the engine's doing, and shown to be so. */
export type SecondDispatch =
  | 'its dispatcher was killed'
  | 'the store failed in the turn that had dispatched it'
  | 'the lease on its run ran out in the store outage, beside the turn that had dispatched it'
  | "two turns at once on one instance: an engine's pass beside another"
  | 'a pass began the run again before a branch of a turn that had ended dispatched it'
  | 'a branch of a turn that had ended dispatched it, beside the turn of the next result'
  | 'an operator redispatched it, its send had never come'
  | 'none';

interface Dispatch {
  readonly attempt: number;
  readonly caller: string;
  readonly at: number;
  readonly turn: Turn | undefined;
  /** Of a `timeoutMs` step: its turn waits for the result, and the store does not know of it until then. */
  readonly awaited: boolean;
}

interface Lapse {
  /** Whose lease it was. */
  readonly of: string;
  readonly at: number;
}

/** Who dispatched which attempt of a step, when, and in what kind of turn. */
export class Dispatches {
  /** By step id, in order of time. */
  readonly #dispatches = new Map<string, Dispatch[]>();
  /** By run id. */
  readonly #endedBy = new Map<string, string>();
  readonly #deaths = new Map<string, number>();
  /** By run id: who holds the lock, as far as it was not released. */
  readonly #locks = new Map<string, string>();
  readonly #lapses = new Map<string, Lapse[]>();

  dispatched(stepId: string, attempt: number, caller: string, turn: Turn | undefined, awaited = false): void {
    const dispatches = this.#dispatches.get(stepId) ?? [];
    dispatches.push({ attempt, caller, at: Date.now(), turn, awaited });
    this.#dispatches.set(stepId, dispatches);
  }

  died(caller: string): void {
    this.#deaths.set(caller, Date.now());
  }

  /** The engine is handed a decision that ends the run. */
  ends(runId: string, caller: string): void {
    if (!this.#endedBy.has(runId)) this.#endedBy.set(runId, caller);
  }

  /** Whether the engine that was first handed the end of the run was killed. */
  decidedByDead(runId: string): boolean {
    return this.isDead(this.#endedBy.get(runId) ?? '');
  }

  isDead(caller: string): boolean {
    return this.#deaths.has(caller);
  }

  /** A lock was taken. Where nobody had released it, its lease had run out. */
  locked(runId: string, owner: string): void {
    const before = this.#locks.get(runId);
    if (before !== undefined) this.#lapses.set(runId, [...(this.#lapses.get(runId) ?? []), { of: before, at: Date.now() }]);
    this.#locks.set(runId, owner);
  }

  released(runId: string): void {
    this.#locks.delete(runId);
  }

  get steps(): number {
    return this.#dispatches.size - this.turns;
  }

  get turns(): number {
    return [...this.#dispatches.keys()].filter(isTurnId).length;
  }

  /** When a step or a turn of the run was dispatched last, epoch milliseconds. */
  lastOf(runId: string): number | undefined {
    const times = [...this.#dispatches].flatMap(([id, dispatches]) => (runIdOf(id) === runId ? dispatches.map(({ at }) => at) : []));
    return times.length === 0 ? undefined : Math.max(...times);
  }

  get count(): number {
    return [...this.#dispatches.values()].reduce((sum, { length }) => sum + length, 0);
  }

  of(stepId: string): number {
    return this.#dispatches.get(stepId)?.length ?? 0;
  }

  /** Who dispatched the step last. */
  lastDispatcherOf(stepId: string): string | undefined {
    return this.#dispatches.get(stepId)?.at(-1)?.caller;
  }

  wasDispatched(stepId: string, attempt: number): boolean {
    return this.#dispatches.get(stepId)?.some((dispatch) => dispatch.attempt === attempt) ?? false;
  }

  /**
   * Whether the lease on the run ran out beside a turn that was alive: what that turn writes at its end, it writes over
   * what came after it.
   */
  leaseRanOut(runId: string): boolean {
    return (this.#lapses.get(runId) ?? []).some(({ of, at }) => (this.#deaths.get(of) ?? Number.POSITIVE_INFINITY) > at);
  }

  /**
   * Whether two turns of one engine that lives dispatched the step: the lease of the first had run out, or one was a
   * pass beside the other.
   */
  awaitedTwice(stepId: string): boolean {
    return this.again().some(
      (again) =>
        again.stepId === stepId && (again.why.startsWith('the lease on its run ran out') || again.why.startsWith('two turns at once')),
    );
  }

  /** Whether an operator's `redispatchPending` sent the step again. */
  byOperator(stepId: string): boolean {
    return this.#dispatches.get(stepId)?.some(({ turn }) => turn?.origin === 'operator') ?? false;
  }

  /** Every dispatch of an attempt beyond its first, and why it came. */
  again(): { readonly stepId: string; readonly why: SecondDispatch; readonly text: string }[] {
    return [...this.#dispatches].flatMap(([stepId, dispatches]) =>
      dispatches.flatMap((later, index) => {
        const earlier = dispatches.slice(0, index).filter(({ attempt }) => attempt === later.attempt);
        if (earlier.length === 0) return [];
        // The latest first: an earlier one by an engine that died says nothing of it.
        const whys = earlier.toReversed().map((each) => this.#why(runIdOf(stepId), each, later));
        const why = whys.find((each) => each !== 'none') ?? 'none';
        const [first] = earlier;
        const text =
          `attempt ${later.attempt} of ${stepId} was dispatched by ${first?.caller} (${first?.turn?.origin}) and, ` +
          `${later.at - (first?.at ?? 0)} ms later, by ${later.caller} (${later.turn?.origin})`;
        return [{ stepId, why, text }];
      }),
    );
  }

  #why(runId: string, earlier: Dispatch, later: Dispatch): SecondDispatch {
    if (later.turn?.origin === 'operator') return 'an operator redispatched it, its send had never come';
    if ((this.#deaths.get(earlier.caller) ?? Number.POSITIVE_INFINITY) <= later.at) return 'its dispatcher was killed';
    if ((earlier.turn?.brokenAt.get(runId) ?? Number.POSITIVE_INFINITY) <= later.at) {
      return 'the store failed in the turn that had dispatched it';
    }
    const lapses = this.#lapses.get(runId) ?? [];
    // Of the turn that dispatched it first, before or after that: a turn without its lock goes on.
    const aliveFrom = earlier.turn?.begunAt.get(runId) ?? earlier.at;
    if (lapses.some(({ of, at }) => of === earlier.caller && aliveFrom <= at && at <= later.at)) {
      return 'the lease on its run ran out in the store outage, beside the turn that had dispatched it';
    }
    // The later turn does not know what the earlier one dispatched: it had read the run before, or the earlier one
    // still waits in memory.
    const begunAt = later.turn?.begunAt.get(runId) ?? Number.POSITIVE_INFINITY;
    const waits = earlier.awaited && (earlier.turn?.endedAt.get(runId) ?? Number.POSITIVE_INFINITY) > later.at;
    if (begunAt > earlier.at && !waits) return 'none';
    const byPass = [earlier, later].some(({ turn }) => turn?.origin === 'pass');
    const late = [earlier, later].some((dispatch) => outlivedItsTurn(runId, dispatch));
    const here = later.caller === earlier.caller;
    if (byPass && here) return "two turns at once on one instance: an engine's pass beside another";
    // Its lock was free then, so that another instance could begin the run.
    if (byPass && late) return 'a pass began the run again before a branch of a turn that had ended dispatched it';
    // The transport waits where a turn is seen to be a fan-out. Of this one it saw one dispatch at most before its end.
    if (here && late) return 'a branch of a turn that had ended dispatched it, beside the turn of the next result';
    return 'none';
  }
}

/** Whether the turn had released the run before it dispatched the step. */
function outlivedItsTurn(runId: string, { at, turn }: Dispatch): boolean {
  const [begunAt, endedAt] = [turn?.begunAt.get(runId), turn?.endedAt.get(runId)];
  return begunAt !== undefined && endedAt !== undefined && begunAt <= endedAt && endedAt <= at;
}
