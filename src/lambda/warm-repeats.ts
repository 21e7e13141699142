import type { OutgoingMessage } from '../sqs/sqs-api.ts';
import { messageBytes } from '../wire/limits.ts';
import type { RemoteTask } from '../wire/remote-task.ts';

/** Bounds of what a process keeps: a small function has 128 MB for everything. */
const MAX_ENTRIES = 256;
const MAX_BYTES = 4 * 1_048_576;

/** A result that was worked for and that SQS may not have. */
export interface Unsent {
  readonly task: RemoteTask;
  /** The task as it came; that it is the same again is what makes the result its result. */
  readonly body: string;
  readonly message: OutgoingMessage;
}

/**
 * Results of this process that were computed and not accepted. Their records are delivered again, and one that comes back to the same
 * process is answered from here: its step has done its work.
 *
 * Kept by step id and attempt and only for the very same task, oldest dropped first.
 */
export class WarmRepeats {
  readonly #kept = new Map<string, Unsent & { readonly bytes: number }>();
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxEntries: number = MAX_ENTRIES, maxBytes: number = MAX_BYTES) {
    this.#maxEntries = maxEntries;
    this.#maxBytes = maxBytes;
  }

  /** 0 as long as results are accepted: then nothing has to be looked up. */
  get size(): number {
    return this.#kept.size;
  }

  keep(unsent: Unsent): void {
    const key = keyOf(unsent.task);
    this.#drop(key);
    const bytes = Buffer.byteLength(unsent.body) + messageBytes(unsent.message.body, unsent.message.attributes);
    if (bytes > this.#maxBytes) return;
    this.#kept.set(key, { ...unsent, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.#maxEntries && this.#bytes <= this.#maxBytes) break;
      this.#drop(oldest);
    }
  }

  /** The result of a task that this process has run already. It stays kept until it is {@link forget}ten. */
  find(task: RemoteTask, body: string): OutgoingMessage | undefined {
    const kept = this.#kept.get(keyOf(task));
    return kept?.body === body ? kept.message : undefined;
  }

  /** SQS has the result now. */
  forget(task: RemoteTask): void {
    this.#drop(keyOf(task));
  }

  #drop(key: string): void {
    const kept = this.#kept.get(key);
    if (kept === undefined) return;
    this.#kept.delete(key);
    this.#bytes -= kept.bytes;
  }
}

function keyOf({ stepId, attempt }: RemoteTask): string {
  return `${attempt} ${stepId}`;
}
