import { figure, withUnit } from './format.ts';
import { type Check, holds, limitOf, type Results, type SectionResult, type Table } from './model.ts';

/** A section's tables, for a terminal. */
export function sectionText({ id, title, tables, checks }: SectionResult, mode: Results['mode']): string {
  const parts = [`${id}. ${title}`, ...tables.map(tableText)];
  if (checks.length > 0) parts.push(checks.map((check) => `  ${checkText(check, mode)}`).join('\n'));
  return `${parts.join('\n\n')}\n`;
}

export function tableText({ title, columns, rows }: Table): string {
  const widths = columns.map((column, index) => Math.max(column.length, ...rows.map((row) => (row[index] ?? '').length)));
  const line = (cells: readonly string[]) =>
    `  ${cells.map((cell, index) => (index === 0 ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0))).join('  ')}`.trimEnd();
  return [`  ${title}`, line(columns), `  ${widths.map((width) => '─'.repeat(width)).join('  ')}`, ...rows.map(line)].join('\n');
}

/** One line: `ok   steps per second …: 7.2 × (at least 6 ×)`. */
export function checkText(check: Check, mode: Results['mode']): string {
  const limit = limitOf(check, mode);
  const held = holds(check, mode);
  const verdict = held === undefined ? '·   ' : held ? 'ok  ' : 'OFF ';
  const bound = limit === undefined ? 'not checked in a quick run' : `${check.direction} ${withUnit(limit, check.unit)}`;
  const rounds = check.low === check.high ? '' : `, rounds ${figure(check.low)} – ${figure(check.high)}`;
  return `${verdict} ${check.what}: ${withUnit(check.measured, check.unit)} (${bound}${rounds})`;
}
