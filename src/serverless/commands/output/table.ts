/** A table as text: columns as wide as their widest cell, numbers aligned right. Ends with a line feed. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const columns = head.map((title, column) => {
    const width = Math.max(title.length, ...rows.map((row) => String(row[column] ?? '').length));
    const ofNumbers = rows.some((row) => typeof row[column] === 'number');
    return (cell: string | number = '') => (ofNumbers ? String(cell).padStart(width) : String(cell).padEnd(width));
  });
  const line = (cells: readonly (string | number)[]) =>
    columns
      .map((padded, column) => padded(cells[column]))
      .join('  ')
      .trimEnd();
  return `${[head, ...rows].map(line).join('\n')}\n`;
}

/** `3 messages`, `1 message`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** A duration in its largest unit: `45s`, `12m`, `3h`, `5d`. */
export function age(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`;
}

/** Text from outside on one line, without control characters: a run id is free text, and must not control the terminal. */
export function plain(text: string): string {
  return text.replace(/\p{Cc}/gu, '?');
}
