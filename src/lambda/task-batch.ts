import type { Context, SQSRecord } from 'aws-lambda';
import { PayloadStoreError, SqsRequestError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { PayloadStore } from '../payloads/payload-store.ts';
import type { RetryOptions } from '../sqs/retry.ts';
import { handleTask, type Outcome } from '../step/handle-task.ts';
import { InFlightTask, type TaskHost } from '../step/in-flight-task.ts';
import { refusesOnlyThisMessage } from '../step/send-answer.ts';
import type { AnyResult, TaskFormat } from '../step/task-format.ts';
import { monotonicMs, nextTurn } from '../time.ts';
import type { Batch } from './batch.ts';
import type { Invocation } from './batch-handler.ts';
import type { Deadline } from './deadline.ts';
import type { SendTimes, StepTimes } from './measured-times.ts';
import type { InvocationMetrics } from './metrics.ts';
import { byMessageGroup, type RecordGroup, taskMessage } from './records.ts';
import { releaseRecords } from './release-records.ts';
import { SendGate } from './send-gate.ts';
import type { UnsentResults } from './unsent-results.ts';
import type { WorkerQueues } from './worker-queues.ts';

/** What an invocation gives to what runs in it. */
export interface InvocationContext {
  /** The context of the invocation. */
  readonly lambda: Context;
  remainingTimeMs(): number;
}

/** What all invocations of one function have in common. */
export interface BatchWorker<Task, Result extends AnyResult> {
  readonly format: TaskFormat<Task, Result>;
  /** What runs the tasks of one invocation. It never rejects: what goes wrong becomes a failed result. */
  runner(context: InvocationContext): (task: Task, inFlight: InFlightTask<Task, Result>) => Promise<Result>;
  /** Why this worker is not to run a task that another version of it may run. */
  leaves?(task: Task): string | undefined;
  /** Tasks of one invocation at the same time. */
  readonly concurrency: number;
  readonly marker: string | undefined;
  readonly payloadStore: PayloadStore | undefined;
  /** What becomes of a task that has not ended in time. */
  readonly onDeadline: 'fail' | 'redeliver';
  readonly logger: Logger;
  readonly sendTimes: SendTimes;
  readonly stepTimes: StepTimes;
  readonly unsent: UnsentResults;
}

/**
 * The records of one invocation: holds them while they are handled, `concurrency` at a time, and settles each whose
 * result SQS has accepted. No record's trouble touches another's, but for those behind it in its FIFO message group.
 */
export class TaskBatch<Task, Result extends AnyResult> implements TaskHost<Task, Result> {
  readonly format: TaskFormat<Task, Result>;
  readonly marker: string | undefined;
  readonly payloadStore: PayloadStore | undefined;
  readonly results: WorkerQueues;
  readonly logger: Logger;
  readonly fields: { readonly requestId: string };
  readonly #worker: BatchWorker<Task, Result>;
  readonly #batch: Batch;
  readonly #deadline: Deadline;
  readonly #run: (task: Task, inFlight: InFlightTask<Task, Result>) => Promise<Result>;
  readonly #metrics: InvocationMetrics | undefined;
  readonly #gate = new SendGate();
  /** Begun, and neither settled nor given up. */
  readonly #atWork = new Set<InFlightTask<Task, Result>>();
  readonly #groups: RecordGroup[];
  /** Position of the next group that nobody has begun. */
  #next = 0;
  /** Not started, and not released yet. */
  #notStarted: SQSRecord[] = [];
  readonly #releasing: Promise<void>[] = [];

  constructor(
    records: readonly SQSRecord[],
    { lambda, batch, deadline }: Invocation,
    queues: WorkerQueues,
    worker: BatchWorker<Task, Result>,
    metrics?: InvocationMetrics,
  ) {
    this.format = worker.format;
    this.marker = worker.marker;
    this.payloadStore = worker.payloadStore;
    this.results = queues;
    this.logger = worker.logger;
    this.fields = { requestId: lambda.awsRequestId };
    this.#worker = worker;
    this.#batch = batch;
    this.#deadline = deadline;
    this.#metrics = metrics;
    this.#run = worker.runner({ lambda, remainingTimeMs: () => deadline.remainingMs() });
    this.#groups = byMessageGroup(records);
  }

  /** Resolves when every record is settled or released. */
  async handle(): Promise<void> {
    this.#deadline.onReached(() => this.#stop());
    this.#deadline.onClosed(() => this.#keepUnsent());
    const loops: Promise<void>[] = [];
    while (loops.length < Math.min(this.#worker.concurrency, this.#groups.length)) loops.push(this.#handleGroups());
    await Promise.all(loops);
    const held = this.#takeRest().length;
    if (held > 0) this.logger.warn('records not started: results are not being accepted', { ...this.fields, records: held });
    this.#releaseNotStarted();
    await Promise.all(this.#releasing);
    this.#metrics?.write();
  }

  async #handleGroups(): Promise<void> {
    while (this.#next < this.#groups.length) {
      if (!this.#gate.isOpen && !(await this.#gate.opens())) return;
      const group = this.#groups[this.#next] ?? [];
      this.#next += 1;
      for (const record of group) {
        if (!this.#gate.isOpen && !(await this.#gate.opens())) return;
        const inFlight = new InFlightTask(taskMessage(record, this.marker), this, this.#deadline.finite);
        const outcome = this.#deadline.reached ? 'not started' : await handleTask(inFlight);
        this.#ended(record, inFlight, outcome);
        if (outcome === 'not started') this.#releaseSoon(group.slice(group.indexOf(record)));
        // What stands behind it in its message group must not overtake it.
        if (outcome !== 'answered') break;
      }
    }
  }

  #ended(record: SQSRecord, inFlight: InFlightTask<Task, Result>, outcome: Outcome): void {
    this.#atWork.delete(inFlight);
    this.#metrics?.add(inFlight, record);
    const { task, ranMs, endedAt } = inFlight;
    const { stepTimes, sendTimes } = this.#worker;
    if (task !== undefined && ranMs !== undefined) stepTimes.add(this.format.nameOf(task), ranMs);
    if (endedAt !== undefined && outcome !== 'stopped') sendTimes.add(monotonicMs() - endedAt);
    if (outcome === 'stopped') this.#gate.ended();
    else if (outcome === 'answered') this.#settle(record, task);
    else if (outcome === 'not sent') this.#keep(inFlight);
  }

  #settle(record: SQSRecord, task: Task | undefined): void {
    this.#batch.settle(record);
    this.#gate.succeeded();
    // After the last moment to answer the record is already reported, and will be redelivered.
    if (task !== undefined && !this.#deadline.closed) this.#worker.unsent.forget(this.format.keyOf(task));
  }

  #keep({ task, body, answer, error }: InFlightTask<Task, Result>): void {
    const { unsent } = this.#worker;
    this.#batch.sendFailed(error);
    if (refusesOnlyThisMessage(error)) {
      // The same message would be refused for ever.
      if (task !== undefined) unsent.forget(this.format.keyOf(task));
      this.#gate.ended();
      return;
    }
    if (task !== undefined && answer !== undefined) unsent.keep(this.format.keyOf(task), body, answer);
    if (error instanceof PayloadStoreError) this.#gate.ended();
    else this.#gate.failed();
  }

  // --- TaskHost

  begins(inFlight: InFlightTask<Task, Result>): boolean {
    const { task, body } = inFlight;
    if (task !== undefined) {
      const { unsent, stepTimes } = this.#worker;
      const message = unsent.find(this.format.keyOf(task), body);
      if (message !== undefined) inFlight.answer = message;
      else if (!this.#deadline.worthStarting(stepTimes.typicalMs(this.format.nameOf(task)))) return false;
    }
    this.#batch.start();
    this.#gate.begin();
    this.#atWork.add(inFlight);
    return true;
  }

  leaves(task: Task): string | undefined {
    return this.#worker.leaves?.(task);
  }

  run(task: Task, inFlight: InFlightTask<Task, Result>): Promise<Result> {
    return this.#run(task, inFlight);
  }

  redelivers(): boolean {
    return this.#worker.onDeadline === 'redeliver';
  }

  sendRetries(): RetryOptions {
    return this.results.retries(this.#deadline.remainingMs());
  }

  // --- the end of the time

  /** Records that nobody has begun, and now nobody will. */
  #takeRest(): SQSRecord[] {
    return this.#groups.splice(this.#next).flat();
  }

  /**
   * Only the reserve is left: running steps are stopped, and while their results are sent, what nobody has begun is
   * released.
   */
  #stop(): void {
    this.#releasing.push(this.#release(this.#takeRest()));
    for (const inFlight of this.#atWork) inFlight.stop(new Error('the Lambda deadline nears'));
  }

  /** The invocation answers now: results that are still being sent are kept for the redelivery of their records. */
  #keepUnsent(): void {
    for (const inFlight of this.#atWork) {
      this.#metrics?.add(inFlight);
      const { task, body, answer } = inFlight;
      if (task === undefined || answer === undefined) continue;
      this.#worker.unsent.keep(this.format.keyOf(task), body, answer);
      this.#batch.sendFailed(new SqsRequestError('SendMessageBatch', 'TimeoutError', true));
    }
    this.#metrics?.write();
  }

  /** Those of one turn of the event loop are released together, and wait for no step that goes on. */
  #releaseSoon(records: readonly SQSRecord[]): void {
    if (this.#notStarted.length === 0) void nextTurn().then(() => this.#releaseNotStarted());
    this.#notStarted.push(...records);
  }

  #releaseNotStarted(): void {
    if (this.#notStarted.length > 0) this.#releasing.push(this.#release(this.#notStarted.splice(0)));
  }

  async #release(records: readonly SQSRecord[]): Promise<void> {
    if (records.length === 0) return;
    this.logger.warn('records not started: too little time is left', { ...this.fields, records: records.length });
    // Where nothing was started, the cause is the invocation's (a slow middleware, a slow store), and the next one's
    // too: made visible at once and again, the records' receives would be used up in no time.
    if (this.#batch.started === 0) return;
    await releaseRecords(records, this.results, this.logger, this.fields, () => this.#deadline.closed);
  }
}
