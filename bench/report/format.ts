import type { Summary } from '../statistics.ts';

/** A number as a reader wants it: three digits that say something, and thousands apart. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  const digits = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : size >= 0.0995 ? 2 : 3;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function withUnit(value: number, unit: string): string {
  return unit === '' ? figure(value) : unit === '$' ? `$${figure(value)}` : `${figure(value)} ${unit}`;
}

/** `120 (98 – 131)`: the median and what the rounds ranged over. */
export function spread({ median, low, high }: Summary): string {
  return low === high ? figure(median) : `${figure(median)} (${figure(low)} – ${figure(high)})`;
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
