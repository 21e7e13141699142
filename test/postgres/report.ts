import { type Finding, WRONGS } from './findings.ts';
import type { Outcome } from './scenario.ts';

const COLUMNS = ['scenario', 'runs', ...WRONGS, 'slowest close', 'time'];
const WIDTHS = [24, 6, ...WRONGS.map((wrong) => Math.max(wrong.length, 8)), 14, 6];

export function header(): string {
  return cells(COLUMNS);
}

/** `3+2`: three that nothing accounts for, two whose cause is known. */
export function row({ options, findings, seconds, slowestShutdownMs, crashes, remarks = [] }: Outcome): string {
  const counts = WRONGS.map((wrong) => {
    const found = findings.filter((finding) => finding.wrong === wrong);
    const explained = found.filter(({ cause }) => cause !== undefined).length;
    return explained === 0 ? String(found.length) : `${found.length - explained}+${explained}`;
  });
  const close = Number.isFinite(slowestShutdownMs) ? `${(slowestShutdownMs / 1_000).toFixed(1)} s` : 'killed';
  const line = cells([options.name, String(options.runs), ...counts, close, `${seconds.toFixed(0)} s`]);
  return [line, ...[...crashes, ...remarks].map((text) => `    ${text}`)].join('\n');
}

export function unexplained({ findings }: Outcome): Finding[] {
  return findings.filter(({ cause }) => cause === undefined);
}

function cells(texts: readonly string[]): string {
  return texts.map((text, index) => (index === 0 ? text.padEnd(WIDTHS[index] ?? 0) : text.padStart(WIDTHS[index] ?? 0))).join('  ');
}
