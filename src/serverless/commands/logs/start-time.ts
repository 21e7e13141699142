import { CommandError } from '../command-error.ts';

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * When `--startTime` says that a log begins, in milliseconds since the epoch: how long ago (`30m`), or a date with or
 * without a time, in UTC where it names no offset.
 * @throws CommandError for anything else
 */
export function startTime(text: string, now: number): number {
  const [, amount, unit = ''] = /^(\d+)([smhd])$/.exec(text) ?? [];
  if (amount !== undefined) return now - Number(amount) * (UNIT_MS[unit] ?? 0);
  const [, date, time = '00:00', offset = 'Z'] =
    /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?(Z|[+-]\d\d:\d\d)?$/.exec(text) ?? [];
  const at = Date.parse(`${date}T${time}${offset}`);
  if (Number.isNaN(at)) {
    throw new CommandError(`--startTime: expected how long ago, such as 30m, 2h or 3d, or a date such as 2026-01-31T09:30, got "${text}"`);
  }
  return at;
}
