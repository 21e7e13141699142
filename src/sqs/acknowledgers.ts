import { Acknowledger, type AcknowledgerOptions } from './acknowledger.ts';

/** As an {@link Acknowledger}'s; `onError` is told the queue too. */
export interface AcknowledgersOptions extends Omit<AcknowledgerOptions, 'queueUrl' | 'onError'> {
  readonly onError: (error: unknown, queueUrl: string) => void;
}

/** The acknowledger of the queue that is being polled. A queue that was deleted and made anew may come back under another URL. */
export class Acknowledgers {
  readonly #options: AcknowledgersOptions;
  #current: { readonly queueUrl: string; readonly acknowledger: Acknowledger } | undefined;

  constructor(options: AcknowledgersOptions) {
    this.#options = options;
  }

  of(queueUrl: string): Acknowledger {
    if (this.#current?.queueUrl !== queueUrl) {
      const { onError } = this.#options;
      const acknowledger = new Acknowledger({ ...this.#options, queueUrl, onError: (error) => onError(error, queueUrl) });
      this.#current = { queueUrl, acknowledger };
    }
    return this.#current.acknowledger;
  }

  /** Resolves when no delete and no change waits. */
  async idle(): Promise<void> {
    await this.#current?.acknowledger.idle();
  }

  /** Stops extending what is still held. */
  stop(): void {
    this.#current?.acknowledger.stop();
  }
}
