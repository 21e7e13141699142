import type { HeldMessages } from '../../sqs/in-flight-messages.ts';
import type { Disposition } from '../../sqs/message-groups.ts';

/** The message of a result on a FIFO queue. Until it is deleted, SQS delivers nothing else of its run. */
export class GroupMessage {
  /** Resolves when the message was deleted although the turn of its result goes on. */
  readonly deletedEarly: Promise<Disposition>;
  readonly #deleteMessage: () => Promise<void>;
  readonly #toldEarly: (disposition: Disposition) => void;
  #deleting: Promise<void> | undefined;

  constructor(receiptHandle: string, inFlight: HeldMessages) {
    this.#deleteMessage = () => inFlight.delete(receiptHandle);
    const { promise, resolve } = Promise.withResolvers<Disposition>();
    this.deletedEarly = promise;
    this.#toldEarly = resolve;
  }

  /** It was deleted, or is being deleted. */
  get isDeleted(): boolean {
    return this.#deleting !== undefined;
  }

  /** Resolves when SQS has deleted the message, or that was given up. Deletes once, however often it is called. */
  delete(): Promise<void> {
    this.#deleting ??= this.#deleteMessage();
    return this.#deleting;
  }

  deleteEarly(): void {
    void this.delete().then(() => this.#toldEarly('deleted'));
  }
}
