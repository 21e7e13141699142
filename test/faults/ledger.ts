import { Dispatches } from './dispatches.ts';
import { History, isTurnId, runIdOf } from './history.ts';
import { ResultBook } from './result-book.ts';
import { type SqsCall, type SqsMessage, stepIdOf } from './sqs-wire.ts';
import { TakenSignals } from './taken-signals.ts';

/** Why a step may have run once more than it was dispatched. */
export type Cause =
  | 'a send of its task was cut after SQS had accepted it'
  | 'its task was sent twice'
  | 'SQS delivered its task twice'
  | 'its invocation was killed'
  | 'its result was not accepted'
  | 'its task could not be deleted'
  | 'its task was deleted late, behind a faulty delete';

/** A worker tries a send for half of the time that is left at its beginning. */
const SEND_TIME_SPENT = 0.5;
/**
 * It keeps back a quarter of its time at most, and starts nothing that usually takes longer than what is left of the
 * rest, or than half of that.
 */
const START_TIME_SPENT = 0.35;

/** What goes wrong beside requests and invocations. */
export const MISHAPS = ['connections refused', 'engines killed', 'store calls rejected', 'results that an engine rejected'] as const;
export type Mishap =
  | (typeof MISHAPS)[number]
  | 'runs that overslept since a lease had run out'
  | 'runs that overslept a signal that was cut short'
  | 'runs whose signal was lost, its engine was killed with it'
  | 'runs that overslept the end of their child, its engine was killed'
  | 'runs whose turn was never sent, its engine was killed';

/**
 * The book of everything that was done to a test, kept by step id, so that each repeat of a step has to be accounted
 * for.
 *
 * A cause is written down only where it can lead to a repeat: a send that never reached SQS does not.
 */
export class Ledger {
  readonly #visibilityMs: number;
  readonly dispatches = new Dispatches();
  readonly results = new ResultBook();
  readonly history = new History();
  readonly signals = new TakenSignals();
  readonly resultSends = { signed: 0, sdk: 0 };
  readonly faults = new Map<string, number>();
  readonly requests = new Map<string, number>();
  /** What else was done to the test, and how often. */
  readonly mishaps = new Map<Mishap, number>();
  /** Violations of what the worker promises of a single invocation. */
  readonly violations: string[] = [];
  readonly #causes = new Map<string, Cause[]>();
  readonly #executions = new Map<string, number>();
  /** `<step id>#<attempt>` of tasks that SQS has taken. */
  readonly #accepted = new Set<string>();
  readonly #storeFailures = new Set<string>();
  readonly #cancelledAt = new Map<string, number>();
  readonly #cutSignals = new Set<string>();
  readonly #receipts = new Map<string, { readonly stepId: string; readonly messageId: string; readonly at: number }>();
  /** By message id: the handle of its latest receive. */
  readonly #latestReceipts = new Map<string, string>();
  /** Steps whose results did not all get through, by caller; a caller has one invocation at a time. */
  readonly #unsentResults = new Map<string, Set<string>>();
  /** Steps whose results SQS has accepted, by caller. */
  readonly #acceptedResults = new Map<string, Set<string>>();

  /** @param visibilityMs of the tasks queues */
  constructor(visibilityMs = Number.POSITIVE_INFINITY) {
    this.#visibilityMs = visibilityMs;
  }

  fault(kind: string): void {
    increment(this.faults, kind);
  }

  mishap(kind: Mishap): void {
    increment(this.mishaps, kind);
  }

  request(action: string): void {
    increment(this.requests, action);
  }

  receipts(messages: readonly SqsMessage[]): void {
    for (const { ReceiptHandle, MessageId, Body } of messages) {
      const stepId = stepIdOf(Body);
      if (stepId === undefined) continue;
      this.#receipts.set(ReceiptHandle, { stepId, messageId: MessageId, at: Date.now() });
      this.#latestReceipts.set(MessageId, ReceiptHandle);
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
      else {
        this.#resultTrouble(call, stepId);
        this.results.copied(stepId);
      }
    }
  }

  sentTwice(call: SqsCall): void {
    for (const { stepId } of call.entries) {
      if (isTasks(call)) this.#add(stepId, 'its task was sent twice');
      else this.results.sentAgainByQueue(stepId);
    }
  }

  /** These messages are on their way to their receiver. */
  delivered(call: SqsCall, messages: readonly SqsMessage[]): void {
    for (const { Body, MessageId } of messages) {
      const stepId = stepIdOf(Body);
      if (stepId === undefined) continue;
      if (!isTasks(call)) this.results.delivered(stepId);
      this.history.note(runIdOf(stepId), `${call.caller} receives message ${MessageId.slice(0, 8)} of ${stepId} from ${call.queue}`);
    }
  }

  deliveredTwice(call: SqsCall, { Body }: SqsMessage): void {
    if (isTasks(call)) this.#add(stepIdOf(Body), 'SQS delivered its task twice');
  }

  /** SQS has carried the call out, but for some entries. */
  accepted(call: SqsCall, exceptIds: readonly string[]): void {
    for (const { id, stepId, attempt, receiptHandle } of call.entries) {
      if (exceptIds.includes(id ?? '')) continue;
      if (!isTasks(call)) {
        if (isSend(call)) this.results.sent(stepId);
        if (isSend(call)) addTo(this.#acceptedResults, call.caller, stepId);
        if (isSend(call) && call.caller.startsWith('lambda')) this.resultSends[call.sdk ? 'sdk' : 'signed'] += 1;
        continue;
      }
      if (isSend(call)) this.#accepted.add(`${stepId}#${attempt}`);
      const receipt = call.action.startsWith('Delete') ? this.#receipts.get(receiptHandle ?? '') : undefined;
      if (receipt !== undefined) {
        this.history.note(
          runIdOf(receipt.stepId),
          `a task of ${receipt.stepId} is deleted, ${Date.now() - receipt.at} ms after its receive`,
        );
      }
      // On a busy machine this process reads an answer half a second after SQS has begun to hide the message.
      const cameAgain = receipt !== undefined && this.#latestReceipts.get(receipt.messageId) !== receiptHandle;
      if (receipt !== undefined && (cameAgain || Date.now() - receipt.at > this.#visibilityMs)) {
        this.#add(receipt.stepId, 'its task was deleted late, behind a faulty delete');
      }
    }
  }

  isAccepted(stepId: string, attempt: number): boolean {
    return this.#accepted.has(`${stepId}#${attempt}`);
  }

  executed(stepId: string): void {
    increment(this.#executions, stepId);
  }

  invocationBegins(caller: string): void {
    this.#unsentResults.delete(caller);
    this.#acceptedResults.delete(caller);
  }

  /** A process died while it worked on these steps. */
  killed(startedSteps: Iterable<string>): void {
    for (const stepId of startedSteps) this.#add(stepId, 'its invocation was killed');
  }

  /**
   * The worker gave records back. Only an invocation whose results had trouble may do so, or whose time was up; a step
   * that ran only for its own result's, or where its result still stood behind one that had trouble when the time was
   * up.
   * @param spent share of its time that the invocation took
   */
  givenBack(caller: string, stepId: string, started: boolean, spent: number): void {
    const troubled = this.#unsentResults.get(caller);
    if (started) this.#add(stepId, 'its result was not accepted');
    const known = this.#acceptedResults.get(caller)?.has(stepId) === true;
    const hadTrouble = started && known ? troubled?.has(stepId) === true : troubled !== undefined;
    // An answer of SQS that comes too late is no fault of the injector's.
    if (!hadTrouble && spent < (started ? SEND_TIME_SPENT : START_TIME_SPENT)) {
      const when = `after ${Math.round(spent * 100)} % of its time`;
      this.violations.push(`${stepId}: its record was given back ${when}, although no send of its result went wrong`);
    }
  }

  /** Whether the store rejected a call within a turn of the run. */
  storeFailedIn(runId: string): boolean {
    return this.#storeFailures.has(runId);
  }

  storeFailed(runId: string): void {
    this.#storeFailures.add(runId);
  }

  /** An engine has answered that the run is cancelled. */
  cancelled(runId: string): void {
    this.#cancelledAt.set(runId, Date.now());
    this.history.note(runId, 'an engine says that it is cancelled');
  }

  cancelledAt(runId: string): number | undefined {
    return this.#cancelledAt.get(runId);
  }

  /**
   * The engine that was to deliver a signal never answered, or rejected it: the waiter may be gone, and nothing saved.
   */
  signalCutShort(runId: string): void {
    this.#cutSignals.add(runId);
    this.history.note(runId, 'a signal was cut short');
  }

  wasSignalCutShort(runId: string): boolean {
    return this.#cutSignals.has(runId);
  }

  get executions(): number {
    return [...this.#executions.values()].reduce((sum, count) => sum + count, 0);
  }

  /**
   * Steps that ran more often than dispatches and causes account for; and runs whose turns did. A workflow cannot tell
   * its turns apart.
   */
  unexplained(): string[] {
    const groups = new Map<string, { executions: number; dispatches: number; causes: Cause[] }>();
    for (const [id, executions] of this.#executions) {
      const name = isTurnId(id) ? `${runIdOf(id)}: a turn` : id;
      const group = groups.get(name) ?? { executions: 0, dispatches: 0, causes: [] };
      group.executions += executions;
      group.dispatches += this.dispatches.of(id);
      group.causes.push(...(this.#causes.get(id) ?? []));
      groups.set(name, group);
    }
    return [...groups].flatMap(([name, { executions, dispatches, causes }]) =>
      executions <= dispatches + causes.length
        ? []
        : [`${name} ran ${executions} times for ${dispatches} dispatches and these causes: ${causes.join('; ') || 'none'}`],
    );
  }

  /** Steps that ran again, and what the ledger knows about them. */
  repeats(): { readonly steps: number; readonly executions: number; readonly causes: ReadonlyMap<Cause, number> } {
    const causes = new Map<Cause, number>();
    let steps = 0;
    let executions = 0;
    for (const [stepId, times] of this.#executions) {
      const surplus = times - this.dispatches.of(stepId);
      if (surplus <= 0) continue;
      steps += 1;
      executions += surplus;
      for (const cause of new Set(this.#causes.get(stepId))) increment(causes, cause);
    }
    return { steps, executions, causes };
  }

  #resultTrouble(call: SqsCall, stepId: string | undefined): void {
    if (isTasks(call) || stepId === undefined) return;
    addTo(this.#unsentResults, call.caller, stepId);
  }

  #add(stepId: string | undefined, cause: Cause): void {
    if (stepId === undefined) return;
    this.#causes.set(stepId, [...(this.#causes.get(stepId) ?? []), cause]);
    this.history.note(runIdOf(stepId), `${stepId} may run again: ${cause}`);
  }
}

function isSend({ action }: SqsCall): boolean {
  return action.startsWith('SendMessage');
}

function isTasks({ queue }: SqsCall): boolean {
  return queue.includes('-tasks-');
}

function addTo(steps: Map<string, Set<string>>, caller: string, stepId: string | undefined): void {
  if (stepId !== undefined) steps.set(caller, (steps.get(caller) ?? new Set()).add(stepId));
}

function increment<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
