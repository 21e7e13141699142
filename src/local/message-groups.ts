/**
 * Keeps work on a FIFO message group one at a time and in order of arrival.
 *
 * SQS does so itself as long as messages are hidden; this holds also where the visibility timeout is shorter than an invocation.
 */
export class MessageGroups {
  /** Group → the end of the last work that was asked for. */
  readonly #tails = new Map<string, Promise<void>>();

  /** Runs the work once all earlier work on any of these groups has ended. Each waits only for earlier ones, so none for ever. */
  async run<T>(groupIds: ReadonlySet<string>, work: () => Promise<T>): Promise<T> {
    const earlier = [...groupIds].map((id) => this.#tails.get(id));
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    for (const id of groupIds) this.#tails.set(id, ended);
    try {
      await Promise.all(earlier);
      return await work();
    } finally {
      for (const id of groupIds) if (this.#tails.get(id) === ended) this.#tails.delete(id);
      end();
    }
  }
}
