import { attempt } from '../../../attempt.ts';
import { isRecord } from '../../../wire/shape.ts';

/** One line of a function's log. */
export interface LogLine {
  readonly functionKey: string;
  /** ISO time. */
  readonly time: string;
  /** In lower case; undefined where the line is plain text. */
  readonly level: string | undefined;
  readonly message: string;
  /** What else a line in JSON holds. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What Lambda itself writes about each invocation, and not what went wrong in one ("Task timed out"). */
const ROUTINE = /^(?:INIT_START|START|END|REPORT|EXTENSION|XRAY) |^INIT_REPORT (?!.*Status:)/;
/** Lambda's text format: `<time> <request id> <level> <what the function wrote>`, with tabs between. */
const LAMBDA_PREFIX = /^\d{4}-\d\d-\d\dT[\d:.]+Z\t[^\t]*\t([A-Z]+)\t/;

/**
 * Reads an event of a function's log group: JSON that the function wrote, as it is or wrapped by Lambda, or plain text.
 * @param timestamp milliseconds since the epoch
 * @returns undefined for a line that Lambda writes about every invocation
 */
export function logLine(functionKey: string, timestamp: number, event: string): LogLine | undefined {
  const text = event.trimEnd();
  if (ROUTINE.test(text)) return undefined;
  const [prefix = '', lambdaLevel] = LAMBDA_PREFIX.exec(text) ?? [];
  const time = new Date(timestamp).toISOString();
  const json = innermost(text.slice(prefix.length));
  if (json === undefined) return { functionKey, time, level: lambdaLevel?.toLowerCase(), message: text.slice(prefix.length), fields: {} };
  if (isRoutine(json)) return undefined;
  const { timestamp: _timestamp, level, message, ...fields } = json;
  return {
    functionKey,
    time,
    level: typeof level === 'string' ? level.toLowerCase() : undefined,
    message: typeof message === 'string' ? message : message === undefined ? '' : JSON.stringify(message),
    fields,
  };
}

/**
 * The object in a text. Lambda's JSON format puts the JSON that a function wrote into the `message` of another, as
 * text.
 */
function innermost(text: string): Record<string, unknown> | undefined {
  const value = text.startsWith('{') ? attempt((): unknown => JSON.parse(text)) : undefined;
  if (!isRecord(value)) return undefined;
  const { message } = value;
  return (typeof message === 'string' ? innermost(message) : undefined) ?? value;
}

/**
 * Metrics of an invocation, or Lambda's own lines in its JSON format: `{"time":…,"type":"platform.start","record":…}`.
 */
function isRoutine({ _aws: metrics, type, record }: Record<string, unknown>): boolean {
  if (metrics !== undefined) return true;
  const failed = isRecord(record) && record['status'] !== undefined && record['status'] !== 'success';
  return typeof type === 'string' && type.startsWith('platform.') && !failed;
}
