import { errorFields } from '../logger.ts';
import type { Timing } from '../time.ts';
import { MAX_BATCH_ENTRIES } from '../wire/limits.ts';
import type { MappingSettings } from './mapping-options.ts';
import { type Delivery, delivery, MAX_PAYLOAD_BYTES } from './payload.ts';
import type { SourceQueue } from './source-queue.ts';
import { type EventSource, eventSource } from './sqs-event.ts';

/** Receives one batch after the other. */
export class BatchGatherer {
  readonly #settings: MappingSettings;
  readonly #queue: SourceQueue;
  readonly #timing: Pick<Timing, 'now'>;
  #source: EventSource | undefined;

  constructor(settings: MappingSettings, queue: SourceQueue, timing: Pick<Timing, 'now'>) {
    this.#settings = settings;
    this.#queue = queue;
    this.#timing = timing;
  }

  /**
   * One long poll and, where it brought something and there is a window, more of them until the batch is full, its payload is or
   * the window ends. Empty where the first brought nothing. A failure of the first is thrown; a later one ends the batch.
   * @param signal ends the window early
   */
  async gather(signal: AbortSignal): Promise<Delivery[]> {
    const { batchSize, batchWindowSeconds, waitTimeSeconds } = this.#settings;
    const batch = await this.#receive(batchSize, waitTimeSeconds);
    const windowEnd = this.#timing.now() + batchWindowSeconds * 1000;
    while (batch.length > 0 && batch.length < batchSize && payloadBytes(batch) < MAX_PAYLOAD_BYTES && !signal.aborted) {
      // Whole seconds are all that SQS knows; rounding down would end in polls that do not wait, one after the other.
      const leftSeconds = Math.ceil((windowEnd - this.#timing.now()) / 1000);
      if (leftSeconds <= 0) break;
      try {
        batch.push(...(await this.#receive(batchSize - batch.length, Math.min(waitTimeSeconds, leftSeconds))));
      } catch (error) {
        this.#settings.logger.warn('receive failed; invoking with what was gathered', {
          queueUrl: this.#queue.queueUrl,
          records: batch.length,
          ...errorFields(error),
        });
        break;
      }
    }
    return batch;
  }

  async #receive(room: number, waitTimeSeconds: number): Promise<Delivery[]> {
    const messages = await this.#queue.receive(Math.min(MAX_BATCH_ENTRIES, room), waitTimeSeconds);
    this.#source ??= eventSource(this.#queue.queueUrl, await this.#queue.region());
    const source = this.#source;
    return messages.map((message) => delivery(message, source));
  }
}

function payloadBytes(batch: readonly Delivery[]): number {
  return batch.reduce((sum, { bytes }) => sum + bytes, 0);
}
