import { randomUUID } from 'node:crypto';
import { errorFields } from '../logger.ts';
import { InFlightMessages } from '../sqs/in-flight-messages.ts';
import { MessageGroups } from '../sqs/message-groups.ts';
import { PollingPace } from '../sqs/polling-pace.ts';
import { backoffMs } from '../sqs/retry.ts';
import { nextTurn, type Timing } from '../time.ts';
import { BatchGatherer } from './batch-gatherer.ts';
import { failureReason, type HandlerOutcome } from './lambda-runtime.ts';
import type { InvocationReport, MappingSettings, ReportedBatch } from './mapping-options.ts';
import { payloadBatches, type ReceivedRecord, sqsEvent } from './payload.ts';
import { judgeResponse, type Verdict } from './response.ts';
import type { SourceQueue } from './source-queue.ts';

const RECEIVE_BACKOFF = { firstMs: 100, maxMs: 5_000 };

/**
 * Receives, invokes and deletes in up to `maximumConcurrency` slots. A slot is opened before its messages are received,
 * so every message that is received can start at once.
 *
 * While the queue is empty, one slot polls. A slot that receives messages opens another; a slot that receives none
 * ends, unless it is the last one that polls. So a poll is open at any time, unless every slot has an invocation.
 */
export class MappingLoop {
  readonly #settings: MappingSettings;
  readonly #queue: SourceQueue;
  readonly #timing: Timing;
  readonly #gatherer: BatchGatherer;
  readonly #inFlight: InFlightMessages;
  readonly #groups = new MessageGroups();
  readonly #stopped = new AbortController();
  readonly #pace = new PollingPace();
  readonly #slots = new Set<Promise<void>>();
  readonly #deletes = new Set<Promise<void>>();
  // Not the sizes of sets of promises: a promise leaves its set a microtask after its work has ended.
  #open = 0;
  #receiving = 0;
  #failures = 0;

  constructor(settings: MappingSettings, queue: SourceQueue, timing: Timing, deleteLingerMs = 0) {
    this.#settings = settings;
    this.#queue = queue;
    this.#timing = timing;
    this.#gatherer = new BatchGatherer(settings, queue, timing);
    this.#inFlight = new InFlightMessages({
      api: { deleteMessages: (_queueUrl, handles) => queue.deleteMessages(handles), changeVisibility: noVisibilityChange },
      queueUrl: queue.queueUrl,
      visibilityTimeoutSeconds: 0,
      deleteLingerMs,
      onGivenUp: (error) => settings.logger.warn('delete given up; the message will be redelivered', this.#logFields(error)),
      timing,
    });
  }

  start(): void {
    if (this.#open > 0 || this.#stopped.signal.aborted) return;
    void this.#warnOfShortVisibility();
    this.#openSlot();
  }

  /** Receives no more; resolves when what was received has been invoked and its deletes are through. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    while (this.#slots.size > 0) await Promise.all(this.#slots);
    await Promise.all(this.#deletes);
  }

  #openSlot(): void {
    if (this.#open >= this.#settings.maximumConcurrency || this.#stopped.signal.aborted) return;
    this.#open += 1;
    const slot = this.#runSlot().finally(() => this.#slots.delete(slot));
    this.#slots.add(slot);
  }

  async #runSlot(): Promise<void> {
    try {
      while (!this.#stopped.signal.aborted) {
        const startedAt = this.#timing.now();
        const batch = await this.#receive();
        let backlog = false;
        let pauseMs = 0;
        if (batch === undefined) {
          if (this.#receiving > 0) return;
          continue;
        }
        if (batch.length > 0) {
          // A full batch means a backlog: poll in parallel.
          backlog = this.#pace.brought(batch.length >= this.#settings.batchSize);
          if (backlog) this.#pace.added();
          // The invocation starts first: somebody waits for its result, nobody for the next poll.
          const next = nextTurn().then(() => {
            if (backlog || this.#receiving === 0) this.#openSlot();
          });
          await Promise.all([this.#process(batch), next]);
        } else {
          pauseMs = this.#pace.empty(this.#receiving === 0, this.#timing.now() - startedAt);
        }
        if (!backlog && this.#receiving > 0) return;
        if (pauseMs > 0) await this.#timing.sleep(pauseMs, this.#stopped.signal);
      }
    } finally {
      this.#open -= 1;
    }
  }

  /** Empty where the poll brought nothing; undefined where it failed, and then its pause is over. */
  async #receive(): Promise<ReceivedRecord[] | undefined> {
    this.#receiving += 1;
    try {
      const batch = await this.#gatherer.gather(this.#stopped.signal);
      this.#failures = 0;
      return batch;
    } catch (error) {
      if (this.#stopped.signal.aborted) return undefined;
      this.#failures += 1;
      const retryInMs = backoffMs(this.#failures, RECEIVE_BACKOFF, this.#timing.random);
      this.#settings.logger.warn('receive failed', { retryInMs, ...this.#logFields(error) });
      await this.#timing.sleep(retryInMs, this.#stopped.signal);
      return undefined;
    } finally {
      this.#receiving -= 1;
    }
  }

  async #process(received: readonly ReceivedRecord[]): Promise<void> {
    for (const batch of payloadBatches(received)) {
      if (!this.#settings.fifo) {
        await this.#invoke(batch);
        continue;
      }
      const groups = [...new Set(batch.flatMap(({ groupId }) => groupId ?? []))];
      const failed = await this.#groups.run(groups, () => this.#invoke(batch));
      // The rest may hold messages of the group behind the one that failed. They become visible again after it, in
      // order.
      if (failed > 0) return;
    }
  }

  /** One invocation. Gives the number of messages that stay on the queue. */
  async #invoke(batch: readonly ReceivedRecord[]): Promise<number> {
    const { runtime, functionName, timeoutMs } = this.#settings;
    const requestId = randomUUID();
    const startedAt = this.#timing.now();
    const event = sqsEvent(batch);
    const region = event.Records[0]?.awsRegion;
    const outcome = await runtime.invoke(event, { functionName, timeoutMs, requestId, region });
    const verdict = this.#judge(batch, outcome);
    // By message id: a message that was received twice for this batch has two entries.
    const failedIds = new Set(verdict.failed);
    const done = batch.filter(({ messageId }) => !failedIds.has(messageId));
    for (const { receiptHandle } of done) this.#delete(receiptHandle);
    const failed = batch.length - done.length;
    const report: InvocationReport = {
      requestId,
      records: batch.length,
      deleted: done.length,
      failed,
      durationMs: this.#timing.now() - startedAt,
      outcome: outcome.kind === 'timeout' ? 'timeout' : failed === 0 ? 'success' : done.length === 0 ? 'failure' : 'partial',
      ...(verdict.reason === undefined ? {} : { reason: verdict.reason }),
      ...('error' in outcome ? { error: outcome.error } : {}),
    };
    this.#report(report, { records: event.Records, failedIds });
    return failed;
  }

  #judge(batch: readonly ReceivedRecord[], outcome: HandlerOutcome): Verdict {
    const messageIds = batch.map(({ messageId }) => messageId);
    if (outcome.kind === 'returned') return judgeResponse(messageIds, outcome.response, this.#settings.reportBatchItemFailures);
    return { succeeded: [], failed: messageIds, reason: failureReason(outcome, this.#settings.timeoutMs) };
  }

  /** Does not wait: the slot goes on with the next batch. */
  #delete(receiptHandle: string): void {
    const deleted = this.#inFlight.delete(receiptHandle).finally(() => this.#deletes.delete(deleted));
    this.#deletes.add(deleted);
  }

  #report(report: InvocationReport, batch: ReportedBatch): void {
    const { error: _error, ...fields } = report;
    const { logger, functionName, onInvocation } = this.#settings;
    if (report.reason === undefined) logger.debug('invoked', { functionName, ...fields });
    else logger.warn(report.outcome === 'success' ? 'doubtful response' : 'invocation failed', { functionName, ...fields });
    try {
      onInvocation(report, batch);
    } catch (error) {
      logger.error('onInvocation threw', this.#logFields(error));
    }
  }

  /** AWS refuses such a mapping. Here it is a warning: the queue may be created later, and tests use short timeouts. */
  async #warnOfShortVisibility(): Promise<void> {
    const { logger, timeoutMs } = this.#settings;
    try {
      const visibilityTimeoutSeconds = await this.#queue.visibilityTimeoutSeconds();
      if (visibilityTimeoutSeconds * 1000 >= timeoutMs) return;
      const fields = { visibilityTimeoutSeconds, timeoutMs, ...this.#logFields() };
      logger.warn('AWS refuses this mapping: the queue hides a message for less time than the function may take', fields);
    } catch {
      // The receives fail for the same reason, and log it.
    }
  }

  #logFields(error?: unknown) {
    const { functionName } = this.#settings;
    return { functionName, queueUrl: this.#queue.queueUrl, ...(error === undefined ? {} : errorFields(error)) };
  }
}

function noVisibilityChange(): never {
  throw new TypeError('an event source mapping never changes the visibility of a message');
}
