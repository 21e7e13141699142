import { errorFields } from '../logger.ts';
import { PollingPace } from '../sqs/polling-pace.ts';
import type { Timing } from '../time.ts';
import { MAX_BATCH_ENTRIES } from '../wire/limits.ts';
import type { MappingSettings } from './mapping-options.ts';
import { MAX_PAYLOAD_BYTES, type ReceivedRecord, receivedRecord } from './payload.ts';
import type { SourceQueue } from './source-queue.ts';
import { type EventSource, eventSource } from './sqs-event.ts';

/** Receives one batch after the other. */
export class BatchGatherer {
  readonly #settings: MappingSettings;
  readonly #queue: SourceQueue;
  readonly #timing: Pick<Timing, 'now' | 'sleep'>;
  #source: EventSource | undefined;

  constructor(settings: MappingSettings, queue: SourceQueue, timing: Pick<Timing, 'now' | 'sleep'>) {
    this.#settings = settings;
    this.#queue = queue;
    this.#timing = timing;
  }

  /**
   * One long poll. Where it brings messages and there is a window, further polls follow until the batch is full, its
   * payload is full, or the window ends. Throws where the first poll fails; a later failure only ends the window.
   * @param signal ends the window early
   */
  async gather(signal: AbortSignal): Promise<ReceivedRecord[]> {
    const { batchSize, batchWindowSeconds, waitTimeSeconds } = this.#settings;
    const batch = await this.#receive(batchSize, waitTimeSeconds);
    const windowEnd = this.#timing.now() + batchWindowSeconds * 1000;
    const pace = new PollingPace();
    while (batch.length > 0 && batch.length < batchSize && payloadBytes(batch) < MAX_PAYLOAD_BYTES && !signal.aborted) {
      // SQS waits whole seconds. Rounded down, the last polls would not wait at all, and run in a tight loop.
      const leftSeconds = Math.ceil((windowEnd - this.#timing.now()) / 1000);
      if (leftSeconds <= 0) break;
      const startedAt = this.#timing.now();
      try {
        const more = await this.#receive(batchSize - batch.length, Math.min(waitTimeSeconds, leftSeconds));
        batch.push(...more);
        if (more.length > 0) pace.brought(false);
        else await this.#timing.sleep(pace.empty(true, this.#timing.now() - startedAt), signal);
      } catch (error) {
        this.#settings.logger.warn('receive failed; invoking with the messages gathered so far', {
          queueUrl: this.#queue.queueUrl,
          records: batch.length,
          ...errorFields(error),
        });
        break;
      }
    }
    return batch;
  }

  async #receive(room: number, waitTimeSeconds: number): Promise<ReceivedRecord[]> {
    const messages = await this.#queue.receive(Math.min(MAX_BATCH_ENTRIES, room), waitTimeSeconds);
    this.#source ??= eventSource(this.#queue.queueUrl, await this.#queue.region());
    const source = this.#source;
    return messages.map((message) => receivedRecord(message, source));
  }
}

function payloadBytes(batch: readonly ReceivedRecord[]): number {
  return batch.reduce((sum, { bytes }) => sum + bytes, 0);
}
