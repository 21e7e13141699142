import type { AdminLogs } from '../aws/admin-logs.ts';
import { type LogLine, logLine } from './log-line.ts';

/** CloudWatch shows an event seconds after it was written, and later ones before it. */
const OVERLAP_MS = 10_000;

/** What to read. */
export interface LogQuery {
  /** Log groups by function key. */
  readonly groups: ReadonlyMap<string, string>;
  /** Fields that a line must have, and their values. */
  readonly fields: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch. */
  readonly from: number;
}

export interface LogPage {
  /** In the order of their times. */
  readonly lines: readonly LogLine[];
  /** Log groups that do not exist. */
  readonly missing: readonly string[];
}

/** Reads the logs of functions. Each call after the first gives what is new since the one before. */
export function logReader(logs: AdminLogs, { groups, fields, from }: LogQuery): () => Promise<LogPage> {
  const newest = new Map<string, number>();
  const seen = new Map<string, number>();

  const ofFunction = async (functionKey: string, group: string): Promise<{ at: number; line: LogLine }[] | undefined> => {
    const since = Math.max(from, (newest.get(functionKey) ?? 0) - OVERLAP_MS);
    const events = await logs.events(group, since, Object.values(fields));
    return events?.flatMap(({ eventId, timestamp: at = 0, message = '' }) => {
      newest.set(functionKey, Math.max(at, newest.get(functionKey) ?? 0));
      // An emulator may give events no id.
      const id = `${functionKey} ${eventId ?? `${at} ${message}`}`;
      if (seen.has(id)) return [];
      seen.set(id, at);
      const line = logLine(functionKey, at, message);
      return line !== undefined && hasFields(line, fields) ? [{ at, line }] : [];
    });
  };

  return async () => {
    const entries = [...groups];
    const found = await Promise.all(entries.map(([functionKey, group]) => ofFunction(functionKey, group)));
    const oldest = Math.min(...newest.values()) - 2 * OVERLAP_MS;
    for (const [id, at] of seen) if (at < oldest) seen.delete(id);
    return {
      lines: found
        .flatMap((events) => events ?? [])
        .sort((a, b) => a.at - b.at)
        .map(({ line }) => line),
      missing: entries.flatMap(([, group], index) => (found[index] === undefined ? [group] : [])),
    };
  };
}

function hasFields({ fields }: LogLine, wanted: LogQuery['fields']): boolean {
  return Object.entries(wanted).every(([name, value]) => fields[name] === value);
}
