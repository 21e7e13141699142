/** One result of a FIFO queue on its way into the engine. Until its message is deleted, SQS delivers nothing else of its run. */
export class Handover {
  /** Resolves when the message is deleted, or that was given up. */
  readonly acknowledged: Promise<void>;
  readonly #delete: () => Promise<void>;
  readonly #saved: () => boolean;
  readonly #resolve: () => void;
  #taken = false;
  #deleting: Promise<void> | undefined;

  /** @param saved whether the engine has saved the result, though its promise has not resolved */
  constructor(deleteMessage: () => Promise<void>, saved: () => boolean) {
    this.#delete = deleteMessage;
    this.#saved = saved;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.acknowledged = promise;
    this.#resolve = resolve;
  }

  get isAcknowledged(): boolean {
    return this.#deleting !== undefined;
  }

  /** The engine's promise has resolved. */
  taken(): void {
    this.#taken = true;
  }

  acknowledge(): Promise<void> {
    this.#deleting ??= this.#delete().then(this.#resolve);
    return this.#deleting;
  }

  /** Before the engine's promise resolves, if the engine needs the message no more. */
  acknowledgeEarly(): void {
    if (this.#taken || this.#saved()) void this.acknowledge();
  }
}
