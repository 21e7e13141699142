import { expect, it } from 'vitest';
import { invoiceOf } from '../src/workers/render-invoice.ts';

it('renders each line and the total, with text escaped', () => {
  const lines = [{ sku: '<mug>', quantity: 2, unitCents: 600 }];

  const { number, html } = invoiceOf({ orderId: 'o-1', lines, totalCents: 1_200, chargeId: 'ch_1' });

  expect(number).toBe('INV-o-1');
  expect(html).toContain('<td>&lt;mug&gt;</td><td>2</td><td>€ 6.00</td><td>€ 12.00</td>');
  expect(html).toContain('<td>Total</td><td></td><td></td><td>€ 12.00</td>');
});
