import { oneLine } from './text.ts';

type Cell = string | number;

interface Column {
  readonly title: string;
  readonly cells: readonly string[];
  readonly width: number;
  readonly ofNumbers: boolean;
}

const GAP = '  ';
const INDENT = '    ';

/**
 * A table as text, numbers aligned right. Ends with a line feed.
 *
 * Where it is wider than the terminal, its widest columns become lines of their own below each row, until the rest
 * fits. The first column stays.
 * @param columns width of the terminal; undefined: no terminal, any width
 */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[], columns = Number.POSITIVE_INFINITY): string {
  const all = head.map((title, index) =>
    column(
      title,
      rows.map((row) => row[index] ?? ''),
    ),
  );
  const below = new Set<Column>();
  for (const widest of all.slice(1).sort((a, b) => b.width - a.width)) {
    if (widthOf(all.filter((candidate) => !below.has(candidate))) <= columns) break;
    below.add(widest);
  }
  const inRow = all.filter((candidate) => !below.has(candidate));
  const belowRow = all.filter((candidate) => below.has(candidate));
  const titleWidth = Math.max(...belowRow.map(({ title }) => title.length));
  const lines = [inRow.map(({ title, ...rest }) => padded(title, rest)).join(GAP)];
  for (const index of rows.keys()) {
    lines.push(inRow.map(({ cells, ...rest }) => padded(cells[index] ?? '', rest)).join(GAP));
    lines.push(...belowRow.map(({ title, cells }) => `${INDENT}${title.padEnd(titleWidth)}${GAP}${cells[index]}`));
  }
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}

function column(title: string, cells: readonly Cell[]): Column {
  const texts = cells.map((cell) => oneLine(String(cell)));
  return {
    title,
    cells: texts,
    width: Math.max(title.length, ...texts.map(({ length }) => length)),
    ofNumbers: cells.some((cell) => typeof cell === 'number'),
  };
}

function widthOf(columns: readonly Column[]): number {
  return columns.reduce((sum, { width }) => sum + width, GAP.length * (columns.length - 1));
}

function padded(text: string, { width, ofNumbers }: Pick<Column, 'width' | 'ofNumbers'>): string {
  return ofNumbers ? text.padStart(width) : text.padEnd(width);
}
