import { DurableSqsError, StepFailedError } from './errors.ts';
import { HIDDEN } from './hidden-characters.ts';
import { unicodeEscape } from './wire/json.ts';

/**
 * Where log lines go: Powertools' `Logger`, `console`, or pino behind a two-line adapter.
 *
 * One line per event. Its fields hold `runId` and `stepId` if it is about a step, and never a body, an input, an output
 * or the message of a step's error.
 */
export interface Logger {
  debug(message: string, fields: LogFields): void;
  info(message: string, fields: LogFields): void;
  warn(message: string, fields: LogFields): void;
  error(message: string, fields: LogFields): void;
}

export type LogFields = Record<string, string | number | boolean | undefined>;

type Level = 'debug' | 'info' | 'warn' | 'error';

/** Characters of a field that are logged. */
const MAX_FIELD_LENGTH = 1_000;

export const LEVELS: readonly Level[] = ['debug', 'info', 'warn', 'error'];

/**
 * Writes to the console: JSON on Lambda, where CloudWatch parses it, and a readable line everywhere else.
 * @param fallback the lowest level that is written where `AWS_LAMBDA_LOG_LEVEL` says nothing
 */
export function defaultLogger(fallback: Level = 'info', env: NodeJS.ProcessEnv = process.env): Logger {
  const minimum = minimumOf(env['AWS_LAMBDA_LOG_LEVEL'], fallback);
  const format = env['AWS_LAMBDA_FUNCTION_NAME'] === undefined ? textLine : jsonLine;
  return perLevel((level) => {
    if (LEVELS.indexOf(level) < minimum) return unwritten;
    // biome-ignore lint/suspicious/noConsole: the default sink of log lines; everything else goes through a Logger
    return (message, fields) => console[level](format(level, message, fields));
  });
}

function perLevel(write: (level: Level) => Logger[Level]): Logger {
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

/** The method of each level that the default logger does not write. */
const unwritten = (): void => undefined;

/** False if a line of this level is not written: then its fields need not be computed. */
export function writes(logger: Logger, level: Level): boolean {
  return logger[level] !== unwritten;
}

/**
 * The way of every log line to a logger. A logger that throws must not cost a record its result or a run its dispatch,
 * and long fields are cut.
 */
export function safeLogger(logger: Logger): Logger {
  return perLevel((level) => {
    if (!writes(logger, level)) return unwritten;
    // Async, so that a logger that is async and rejects fails in here, too. What is synchronous is written at once.
    return async (message, fields) => {
      try {
        await logger[level](message, shortened(fields));
      } catch {
        // There is nobody left to tell.
      }
    };
  });
}

/** Ids are free text: whoever can send to a queue chooses them. */
function shortened(fields: LogFields): LogFields {
  const short = { ...fields };
  for (const name in short) {
    const value = short[name];
    if (typeof value !== 'string' || value.length <= MAX_FIELD_LENGTH) continue;
    short[name] = `${value.slice(0, MAX_FIELD_LENGTH)}… (${value.length - MAX_FIELD_LENGTH} more)`;
  }
  return short;
}

/**
 * The fields of an error that are safe to log: its name and code, and `reason`, the message of our own errors, which
 * holds ids only. The message of any other error may quote the input. That of a step failure may too: a schema library
 * wrote part of it.
 */
export function errorFields(error: unknown): LogFields {
  if (!(error instanceof Error)) return { errorName: typeof error };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const reason = error instanceof DurableSqsError && !(error instanceof StepFailedError) ? error.message : undefined;
  return { errorName: error.name, ...(code === undefined ? {} : { errorCode: code }), ...(reason === undefined ? {} : { reason }) };
}

/**
 * Position in {@link LEVELS} of the lowest level that is written. Lambda's TRACE is below all of ours, its FATAL above.
 */
function minimumOf(lambdaLevel: string | undefined, fallback: Level): number {
  if (lambdaLevel === 'TRACE') return 0;
  if (lambdaLevel === 'FATAL') return LEVELS.length;
  const asked = LEVELS.findIndex((level) => level.toUpperCase() === lambdaLevel);
  return asked === -1 ? LEVELS.indexOf(fallback) : asked;
}

function jsonLine(level: Level, message: string, fields: LogFields): string {
  return JSON.stringify({ ...fields, level, message, timestamp: new Date().toISOString() }).replace(HIDDEN, unicodeEscape);
}

/** A run id is free text: quoted where it could pass for another field, start another line or steer the terminal. */
function plain(value: string | number | boolean): string {
  const text = String(value);
  return /^$|[\s"=]/.test(text) || text.search(HIDDEN) !== -1 ? JSON.stringify(text) : text;
}

function textLine(level: Level, message: string, fields: LogFields): string {
  return [`[durable-sqs-lambda] ${level} ${message}`, ...fieldTexts(fields)].join(' ').replace(HIDDEN, unicodeEscape);
}

/** `runId=order-1` for each field. */
export function fieldTexts(fields: LogFields): string[] {
  return Object.entries(fields).flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${plain(value)}`]));
}
