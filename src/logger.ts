import { DurableSqsError, StepFailedError } from './errors.ts';
import { HIDDEN, unicodeEscape } from './hidden-characters.ts';

/**
 * Where log lines go. One line per event, with `runId` and `stepId` in the fields where there is a step; never a body, an
 * input, an output or a step's error message.
 *
 * Powertools' `Logger`, pino behind a two-line adapter, and `console` all fit.
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

const LEVELS: readonly Level[] = ['debug', 'info', 'warn', 'error'];

/**
 * JSON on Lambda, where CloudWatch and its Insights parse it; a readable line everywhere else. Writes `fallback` and up, or what
 * Lambda's own `AWS_LAMBDA_LOG_LEVEL` asks for.
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

/** What the default logger has for each level that it does not write. */
const unwritten = (): void => undefined;

/** False where a line of this level would not be written: then its fields need not be put together. */
export function writes(logger: Logger, level: Level): boolean {
  return logger[level] !== unwritten;
}

/**
 * What every line of ours goes through: a line that cannot be written must not cost a record its result, or a run its dispatch, and no
 * field may be of any length.
 */
export function safeLogger(logger: Logger): Logger {
  return perLevel((level) => {
    if (!writes(logger, level)) return unwritten;
    return (message, fields) => {
      try {
        logger[level](message, shortened(fields));
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
 * The fields of an error that are safe to log: its name and code, and the message of our own errors, which hold ids only. Not anybody
 * else's message: it may quote the input. Nor that of a step failure: a schema library wrote part of it.
 */
export function errorFields(error: unknown): LogFields {
  if (!(error instanceof Error)) return { errorName: typeof error };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const reason = error instanceof DurableSqsError && !(error instanceof StepFailedError) ? error.message : undefined;
  return { errorName: error.name, ...(code === undefined ? {} : { errorCode: code }), ...(reason === undefined ? {} : { reason }) };
}

/** Position in {@link LEVELS} of the lowest level that is written. Lambda also knows TRACE, below all of ours, and FATAL, above. */
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
  const pairs = Object.entries(fields).flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${plain(value)}`]));
  return [`[durable-sqs-lambda] ${level} ${message}`, ...pairs].join(' ').replace(HIDDEN, unicodeEscape);
}
