import type { OutgoingMessage } from '../sqs/sqs-api.ts';
import { messageBytes } from '../wire/limits.ts';

/** Bounds of what a process keeps: a small function has 128 MB for everything. */
const MAX_ENTRIES = 256;
const MAX_BYTES = 4 * 1_048_576;

interface Kept {
  /** The task as it came; that it is the same again is what makes the result its result. */
  readonly body: string;
  readonly message: OutgoingMessage;
  readonly bytes: number;
}

/**
 * Results of this process that were computed and not accepted. Their records are delivered again, and one that comes
 * back to the same process is answered from here: its step has done its work.
 *
 * Kept by the task's key and only for the very same task, oldest dropped first.
 */
export class UnsentResults {
  readonly #kept = new Map<string, Kept>();
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxEntries: number = MAX_ENTRIES, maxBytes: number = MAX_BYTES) {
    this.#maxEntries = maxEntries;
    this.#maxBytes = maxBytes;
  }

  /** @param body what the task was decoded from */
  keep(key: string, body: string, message: OutgoingMessage): void {
    this.#drop(key);
    const bytes = Buffer.byteLength(body) + messageBytes(message.body, message.attributes);
    if (bytes > this.#maxBytes) return;
    this.#kept.set(key, { body, message, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.#maxEntries && this.#bytes <= this.#maxBytes) break;
      this.#drop(oldest);
    }
  }

  /** The result of a task that this process has run already. It stays kept until it is {@link forget}ten. */
  find(key: string, body: string): OutgoingMessage | undefined {
    if (this.#kept.size === 0) return undefined;
    const kept = this.#kept.get(key);
    return kept?.body === body ? kept.message : undefined;
  }

  /** SQS has the result now. */
  forget(key: string): void {
    this.#drop(key);
  }

  #drop(key: string): void {
    const kept = this.#kept.get(key);
    if (kept === undefined) return;
    this.#kept.delete(key);
    this.#bytes -= kept.bytes;
  }
}
