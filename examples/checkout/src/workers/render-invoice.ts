import type { z } from 'zod';
import type { renderInvoice } from '../steps.ts';

type InvoiceInput = z.infer<typeof renderInvoice.input>;
type Invoice = z.infer<typeof renderInvoice.output>;

/** The invoice of an order. Nothing but its input goes in, so a second delivery renders the same invoice. */
export function invoiceOf({ orderId, lines, totalCents, chargeId }: InvoiceInput): Invoice {
  const rows = lines.map(({ sku, quantity, unitCents }) =>
    row([escaped(sku), String(quantity), euros(unitCents), euros(quantity * unitCents)]),
  );
  const html = `<h1>Invoice ${escaped(orderId)}</h1>
<table>
${[...rows, row(['Total', '', '', euros(totalCents)])].join('\n')}
</table>
<p>Paid with charge ${escaped(chargeId)}.</p>
`;
  return { number: `INV-${orderId}`, html };
}

function row(cells: readonly string[]): string {
  return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
}

function euros(cents: number): string {
  return `€ ${(cents / 100).toFixed(2)}`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
