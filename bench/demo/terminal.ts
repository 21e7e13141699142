/**
 * What the demo shows while it runs: a bar on a terminal, a line now and then where the output goes to a file or a CI
 * log.
 */
export function progress(total: number, out: NodeJS.WriteStream = process.stdout) {
  let shownQuarter = 0;
  return {
    show(done: number) {
      if (out.isTTY) {
        const filled = Math.round((done / total) * 30);
        out.write(`\r  ${'█'.repeat(filled)}${'░'.repeat(30 - filled)} ${done}/${total} orders`);
        return;
      }
      const quarter = Math.floor((done / total) * 4);
      if (quarter > shownQuarter) out.write(`  ${done}/${total} orders\n`);
      shownQuarter = quarter;
    },
    end() {
      if (out.isTTY) out.write('\n');
    },
  };
}

/** Two columns, aligned. */
export function table(rows: readonly (readonly [string, string | number])[]): string {
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, value]) => `  ${label.padEnd(width)}  ${value}`).join('\n');
}

export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
