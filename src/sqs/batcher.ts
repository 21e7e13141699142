/**
 * Group commit: the first item leaves at once, what arrives while a request is in flight leaves together with the next.
 * There is no timer: idle traffic waits for nothing, busy traffic fills its batches by itself.
 */
export interface BatcherOptions<Item, Outcome> {
  /** Sends one batch; gives one outcome per item, in order. A rejection rejects every item of the batch. */
  readonly flush: (items: readonly Item[]) => Promise<readonly Outcome[]>;
  readonly maxEntries: number;
  /** Sum of the items' bytes in one batch. @default no limit */
  readonly maxBytes?: number;
  /** Requests at the same time. 1 keeps the order of items. */
  readonly maxInFlight: number;
}

interface Waiting<Item, Outcome> {
  readonly item: Item;
  readonly bytes: number;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

export class Batcher<Item, Outcome> {
  readonly #options: BatcherOptions<Item, Outcome>;
  // A queue by index: shifting an array of thousands once per item would make a backlog's cost quadratic.
  #waiting: Waiting<Item, Outcome>[] = [];
  #next = 0;
  #inFlight = 0;
  #flushPlanned = false;

  constructor(options: BatcherOptions<Item, Outcome>) {
    this.#options = options;
  }

  /** Adds an item; settles with its own outcome. */
  add(item: Item, bytes = 0): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, bytes, resolve, reject });
      this.#planFlush();
    });
  }

  // One microtask later, so that items added in the same turn of the event loop share a request.
  #planFlush(): void {
    if (this.#flushPlanned || this.#inFlight >= this.#options.maxInFlight || this.#waiting.length === 0) return;
    this.#flushPlanned = true;
    queueMicrotask(this.#flush);
  }

  readonly #flush = (): void => {
    this.#flushPlanned = false;
    while (this.#waiting.length > 0 && this.#inFlight < this.#options.maxInFlight) void this.#send(this.#takeBatch());
  };

  #takeBatch(): Waiting<Item, Outcome>[] {
    const { maxEntries, maxBytes = Number.POSITIVE_INFINITY } = this.#options;
    const batch: Waiting<Item, Outcome>[] = [];
    let bytes = 0;
    while (batch.length < maxEntries) {
      const entry = this.#waiting[this.#next];
      if (entry === undefined || (batch.length > 0 && bytes + entry.bytes > maxBytes)) break;
      batch.push(entry);
      bytes += entry.bytes;
      this.#next += 1;
    }
    // Only when at least half is done with: then a copy costs no more than what was taken since the last one.
    if (this.#next * 2 >= this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#next);
      this.#next = 0;
    }
    return batch;
  }

  async #send(batch: readonly Waiting<Item, Outcome>[]): Promise<void> {
    this.#inFlight += 1;
    try {
      const outcomes = await this.#options.flush(batch.map(({ item }) => item));
      for (const [index, { resolve, reject }] of batch.entries()) {
        const outcome = outcomes[index];
        if (outcome === undefined) reject(new RangeError(`expected ${batch.length} outcomes, got ${outcomes.length}`));
        else resolve(outcome);
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    } finally {
      this.#inFlight -= 1;
      // Planned, not called: a flush that throws at once would otherwise recurse through the whole backlog.
      this.#planFlush();
    }
  }
}
