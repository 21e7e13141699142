import { type SqsCall, type SqsMessage, stepIdOf } from './sqs-wire.ts';

/** Why a step may have run once more than it was dispatched. */
export type Cause =
  | 'a send of its task was cut after SQS had accepted it'
  | 'its task was sent twice'
  | 'SQS delivered its task twice'
  | 'its invocation was killed'
  | 'its result was not accepted'
  | 'its task could not be deleted'
  | 'its task was deleted late, behind a faulty delete';

/** What began a turn: a start, a result, or a pass of the engine over pending, due or abandoned runs. */
export type TurnOrigin = 'start' | 'result' | 'pass';

/**
 * The book of everything that was done to a test, kept by step id, so that each repeat of a step has to be accounted for.
 *
 * A cause is written down only where it can lead to a repeat: a send that never reached SQS does not.
 */
export class Ledger {
  readonly #visibilityMs: number;
  readonly faults = new Map<string, number>();
  readonly requests = new Map<string, number>();
  /** Violations of what the worker promises of a single invocation. */
  readonly violations: string[] = [];
  readonly #causes = new Map<string, Cause[]>();
  readonly #executions = new Map<string, number>();
  /** When each attempt of a step was dispatched, by step id and attempt, epoch milliseconds. */
  readonly #dispatches = new Map<string, Map<number, number[]>>();
  /** Steps that a pass of an engine has dispatched. */
  readonly #byPass = new Set<string>();
  /** When an engine died, when the store went and when it came back, epoch milliseconds. */
  readonly #crises: number[] = [];
  readonly #dispatchers = new Map<string, string>();
  /** `<step id>#<attempt>` of tasks that SQS has taken. */
  readonly #accepted = new Set<string>();
  readonly #receipts = new Map<string, { readonly stepId: string; readonly at: number }>();
  /** Steps whose results did not all get through, by caller; a caller has one invocation at a time. */
  readonly #unsentResults = new Map<string, Set<string>>();

  /** @param visibilityMs of the tasks queues */
  constructor(visibilityMs = Number.POSITIVE_INFINITY) {
    this.#visibilityMs = visibilityMs;
  }

  fault(kind: string): void {
    increment(this.faults, kind);
  }

  request(action: string): void {
    increment(this.requests, action);
  }

  receipts(messages: readonly SqsMessage[]): void {
    for (const { ReceiptHandle, Body } of messages) {
      const stepId = stepIdOf(Body);
      if (stepId !== undefined) this.#receipts.set(ReceiptHandle, { stepId, at: Date.now() });
    }
  }

  /** SQS never saw the call, or these entries of it. */
  notSent(call: SqsCall, ids?: readonly string[]): void {
    for (const { id, stepId, receiptHandle } of call.entries) {
      if (ids !== undefined && !ids.includes(id ?? '')) continue;
      if (isSend(call)) this.#resultTrouble(call, stepId);
      else if (call.action.startsWith('Delete'))
        this.#add(this.#receipts.get(receiptHandle ?? '')?.stepId, 'its task could not be deleted');
    }
  }

  /** SQS has carried the call out, and its caller does not know. */
  unanswered(call: SqsCall): void {
    if (!isSend(call)) return;
    for (const { stepId } of call.entries) {
      if (isTasks(call)) this.#add(stepId, 'a send of its task was cut after SQS had accepted it');
      else this.#resultTrouble(call, stepId);
    }
  }

  sentTwice(call: SqsCall): void {
    if (isTasks(call)) for (const { stepId } of call.entries) this.#add(stepId, 'its task was sent twice');
  }

  deliveredTwice(call: SqsCall, { Body }: SqsMessage): void {
    if (isTasks(call)) this.#add(stepIdOf(Body), 'SQS delivered its task twice');
  }

  /** SQS has carried the call out, but for some entries. */
  accepted(call: SqsCall, exceptIds: readonly string[]): void {
    if (!isTasks(call)) return;
    for (const { id, stepId, attempt, receiptHandle } of call.entries) {
      if (exceptIds.includes(id ?? '')) continue;
      if (isSend(call)) this.#accepted.add(`${stepId}#${attempt}`);
      const receipt = call.action.startsWith('Delete') ? this.#receipts.get(receiptHandle ?? '') : undefined;
      if (receipt !== undefined && Date.now() - receipt.at > this.#visibilityMs) {
        this.#add(receipt.stepId, 'its task was deleted late, behind a faulty delete');
      }
    }
  }

  isAccepted(stepId: string, attempt: number): boolean {
    return this.#accepted.has(`${stepId}#${attempt}`);
  }

  /** Who dispatched the step last. */
  dispatcherOf(stepId: string): string | undefined {
    return this.#dispatchers.get(stepId);
  }

  dispatched(stepId: string, attempt: number, caller: string, by: TurnOrigin): void {
    if (by === 'pass') this.#byPass.add(stepId);
    this.#dispatchers.set(stepId, caller);
    const attempts = this.#dispatches.get(stepId) ?? new Map<number, number[]>();
    attempts.set(attempt, [...(attempts.get(attempt) ?? []), Date.now()]);
    this.#dispatches.set(stepId, attempts);
  }

  /** An engine has just died, or the store has just gone or come back. */
  crisis(): void {
    this.#crises.push(Date.now());
  }

  executed(stepId: string): void {
    increment(this.#executions, stepId);
  }

  invocationBegins(caller: string): void {
    this.#unsentResults.delete(caller);
  }

  /** A process died while it worked on these steps. */
  killed(startedSteps: Iterable<string>): void {
    for (const stepId of startedSteps) this.#add(stepId, 'its invocation was killed');
  }

  /** The worker gave records back. Only an invocation whose results had trouble may do so, and a step that ran only for its own result's. */
  givenBack(caller: string, stepId: string, started: boolean): void {
    const troubled = this.#unsentResults.get(caller);
    if (started) this.#add(stepId, 'its result was not accepted');
    const excused = started ? troubled?.has(stepId) : troubled !== undefined;
    if (excused !== true) this.violations.push(`${stepId}: its record was given back although no send of its result went wrong`);
  }

  get steps(): number {
    return this.#dispatches.size;
  }

  get executions(): number {
    return [...this.#executions.values()].reduce((sum, count) => sum + count, 0);
  }

  get dispatches(): number {
    return [...this.#dispatches.keys()].reduce((sum, stepId) => sum + this.dispatchesOf(stepId), 0);
  }

  dispatchesOf(stepId: string): number {
    return [...(this.#dispatches.get(stepId)?.values() ?? [])].reduce((sum, times) => sum + times.length, 0);
  }

  /** Whether an attempt of the step was dispatched again across a crash or outage. */
  startedAgain(stepId: string): boolean {
    const attempts = [...(this.#dispatches.get(stepId)?.values() ?? [])];
    return attempts.some((times) => this.#crises.some((at) => (times[0] ?? at) <= at && at <= (times.at(-1) ?? 0) && times.length > 1));
  }

  wasDispatched(stepId: string, attempt: number): boolean {
    return this.#dispatches.get(stepId)?.has(attempt) ?? false;
  }

  /**
   * Attempts that were dispatched more than once: by an engine that recovered from a crisis; by a pass of the engine over a list that had
   * grown old, beside a result's turn (its lock keeps out other instances only); and those that had no reason to be.
   */
  dispatchedTwice() {
    const afterCrisis: string[] = [];
    const byPass: string[] = [];
    const unexplained: string[] = [];
    for (const [stepId, attempts] of this.#dispatches) {
      for (const [attempt, times] of attempts) {
        const [first = 0, last = 0] = [times[0], times.at(-1)];
        if (times.length < 2) continue;
        const recovered = this.#crises.some((at) => first <= at && at <= last);
        const list = recovered ? afterCrisis : this.#byPass.has(stepId) ? byPass : unexplained;
        list.push(`attempt ${attempt} of ${stepId} was dispatched ${times.length} times in ${last - first} ms`);
      }
    }
    return { afterCrisis, byPass, unexplained };
  }

  /** Steps that ran more often than dispatches and causes account for. */
  unexplained(): string[] {
    return [...this.#executions].flatMap(([stepId, executions]) => {
      const dispatches = this.dispatchesOf(stepId);
      const causes = this.#causes.get(stepId) ?? [];
      return executions <= dispatches + causes.length
        ? []
        : [`${stepId} ran ${executions} times for ${dispatches} dispatches and these causes: ${causes.join('; ') || 'none'}`];
    });
  }

  /** Steps that ran again, and what the ledger knows about them. */
  repeats(): { readonly steps: number; readonly executions: number; readonly causes: ReadonlyMap<Cause, number> } {
    const causes = new Map<Cause, number>();
    let steps = 0;
    let executions = 0;
    for (const [stepId, times] of this.#executions) {
      const surplus = times - this.dispatchesOf(stepId);
      if (surplus <= 0) continue;
      steps += 1;
      executions += surplus;
      for (const cause of new Set(this.#causes.get(stepId))) increment(causes, cause);
    }
    return { steps, executions, causes };
  }

  #resultTrouble(call: SqsCall, stepId: string | undefined): void {
    if (isTasks(call) || stepId === undefined) return;
    const steps = this.#unsentResults.get(call.caller) ?? new Set();
    this.#unsentResults.set(call.caller, steps.add(stepId));
  }

  #add(stepId: string | undefined, cause: Cause): void {
    if (stepId !== undefined) this.#causes.set(stepId, [...(this.#causes.get(stepId) ?? []), cause]);
  }
}

function isSend({ action }: SqsCall): boolean {
  return action.startsWith('SendMessage');
}

function isTasks({ queue }: SqsCall): boolean {
  return queue.includes('-tasks-');
}

function increment<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
