/** What one more receiver is worth after how many full receives; the bound keeps a returning backlog from waiting long for receivers. */
const MOST_FULL_RECEIVES = 16;

/**
 * Says when a backlog is worth one more receiver: at the first full receive, and after receivers that were added in vain only at the
 * second, fourth, eighth. A queue that is filled as fast as it is emptied brings full receives too, and another one there only asks in vain.
 */
export class PollingPace {
  #needed = 1;
  #full = 0;

  /** A receive came back full. Gives whether to add a receiver, if there is room for one. */
  full(): boolean {
    this.#full += 1;
    return this.#full >= this.#needed;
  }

  /** One was added. */
  added(): void {
    this.#full = 0;
  }

  /** A receive came back empty. @param last whether it is the only one, so that the queue is idle */
  empty(last: boolean): void {
    this.#full = 0;
    this.#needed = last ? 1 : Math.min(MOST_FULL_RECEIVES, this.#needed * 2);
  }
}
