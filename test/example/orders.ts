/** How the checkout of an order must end. */
export type Ending = 'paid' | 'declined' | 'too risky';

export interface TestOrder {
  readonly ending: Ending;
  readonly totalCents: number;
  /** The body of `POST /orders`. */
  readonly body: {
    readonly orderId: string;
    readonly country: string;
    readonly cardCountry: string;
    readonly cardToken: string;
    readonly lines: readonly { readonly sku: string; readonly quantity: number; readonly unitCents: number }[];
  };
}

/** Too large for the threshold of the example's payload store, 64 KiB, in and out. */
const MANY_LINES = 1_500;

/** Orders of every kind: of ten one is declined, one too risky, one of many lines. */
export function testOrders(count: number): TestOrder[] {
  return Array.from({ length: count }, (_, index) => {
    const ending = index % 10 === 3 ? 'declined' : index % 10 === 6 ? 'too risky' : 'paid';
    const unitCents = ending === 'too risky' ? 2_000_000 : 100 + index;
    const lines = Array.from({ length: index % 10 === 9 ? MANY_LINES : 2 }, (_, line) => ({
      sku: `article-of-the-catalogue-${line}`,
      quantity: 1 + (line % 2),
      unitCents,
    }));
    return {
      ending,
      totalCents: lines.reduce((sum, line) => sum + line.quantity * line.unitCents, 0),
      body: {
        orderId: `order-${index}`,
        country: 'DE',
        cardCountry: ending === 'too risky' ? 'FR' : 'DE',
        cardToken: ending === 'declined' ? 'tok_declined' : 'tok_visa',
        lines,
      },
    };
  });
}
