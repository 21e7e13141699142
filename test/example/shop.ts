import { setTimeout as delay } from 'node:timers/promises';
import type { TestOrder } from './orders.ts';

/** What `GET /orders/<id>` says. */
export interface OrderState {
  readonly status: string;
  readonly output?: { readonly outcome: string; readonly invoice?: { readonly html: string } };
  readonly error?: string;
}

const TERMINAL: readonly string[] = ['completed', 'failed', 'cancelled', 'dead'];

/** A customer of the example's app. */
export class Shop {
  readonly #url: string;

  constructor(port: number) {
    this.#url = `http://127.0.0.1:${port}`;
  }

  /** Places orders, a few at a time. While the app does not answer, a customer sends the order again. */
  async checkOutAll(orders: readonly TestOrder[], customers: number): Promise<void> {
    const waiting = [...orders];
    const customer = async () => {
      for (let order = waiting.shift(); order !== undefined; order = waiting.shift()) {
        while (!(await this.#accepted(order))) await delay(100);
      }
    };
    await Promise.all(Array.from({ length: customers }, customer));
  }

  /** `ended` of each order. */
  states(orders: readonly TestOrder[]): Promise<(OrderState | undefined)[]> {
    return Promise.all(orders.map((order) => this.ended(order)));
  }

  /** Undefined while the checkout is under way. */
  async ended({ body: { orderId } }: TestOrder): Promise<OrderState | undefined> {
    const response = await fetch(`${this.#url}/orders/${orderId}`);
    // Not placed yet.
    if (response.status === 404) return undefined;
    const state: OrderState = JSON.parse(await response.text());
    return TERMINAL.includes(state.status) ? state : undefined;
  }

  async get(path: string): Promise<string> {
    const response = await fetch(`${this.#url}${path}`);
    if (response.status !== 200) throw new Error(`GET ${path}: expected 200, got ${response.status}`);
    return response.text();
  }

  /** @returns false where nobody answered: the app may have the order, or not */
  async #accepted({ body }: TestOrder): Promise<boolean> {
    let response: Response;
    try {
      const headers = { 'content-type': 'application/json' };
      response = await fetch(`${this.#url}/orders`, { method: 'POST', headers, body: JSON.stringify(body) });
    } catch {
      return false;
    }
    if (response.status !== 202) throw new Error(`POST /orders: expected 202, got ${response.status}: ${await response.text()}`);
    return true;
  }
}
