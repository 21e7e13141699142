import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SqsRequestError, StepFailedError } from '../../src/errors.ts';
import { defaultLogger, errorFields, type LogFields, safeLogger, writes } from '../../src/logger.ts';

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
const LAMBDA = { AWS_LAMBDA_FUNCTION_NAME: 'charge' };
let lines: [string, unknown][] = [];

beforeEach(() => {
  lines = [];
  for (const level of LEVELS) vi.spyOn(console, level).mockImplementation((line: unknown) => lines.push([level, line]));
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function text(message: string, fields: LogFields = {}): unknown {
  defaultLogger('info', {}).info(message, fields);
  return lines.at(-1)?.[1];
}

describe('levels', () => {
  it.each<[(typeof LEVELS)[number] | undefined, string[]]>([
    [undefined, ['info', 'warn', 'error']],
    ['debug', ['debug', 'info', 'warn', 'error']],
    ['warn', ['warn', 'error']],
    ['error', ['error']],
  ])('%s and the levels above it go to the console method of their name: %j', (minimum, written) => {
    const logger = defaultLogger(minimum, {});
    for (const level of LEVELS) logger[level]('m', {});
    expect(lines.map(([level]) => level)).toEqual(written);
  });

  it.each([
    ['TRACE', 4],
    ['DEBUG', 4],
    ['INFO', 3],
    ['WARN', 2],
    ['ERROR', 1],
    ['FATAL', 0],
    ['', 2],
    ['warn, please', 2],
  ])('the level that Lambda was told to log wins (%j), else the fallback', (level, written) => {
    const logger = defaultLogger('warn', { AWS_LAMBDA_LOG_LEVEL: level });
    for (const method of LEVELS) logger[method]('m', {});
    expect(lines).toHaveLength(written);
  });

  it('the process environment is read by default', () => {
    vi.stubEnv('AWS_LAMBDA_FUNCTION_NAME', 'charge');
    defaultLogger().info('m', {});
    vi.unstubAllEnvs();
    expect(lines[0]?.[1]).toMatch(/^{/);
  });
});

describe('writes', () => {
  it('tells which levels of the default logger are written, also behind a safe one', () => {
    for (const logger of [defaultLogger('warn', {}), safeLogger(defaultLogger('warn', {}))]) {
      expect(LEVELS.filter((level) => writes(logger, level))).toEqual(['warn', 'error']);
    }
  });

  it('says yes for a logger that is not ours', () => {
    const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
    expect(LEVELS.filter((level) => writes(safeLogger(logger), level))).toEqual(LEVELS);
  });
});

describe('safeLogger', () => {
  it('keeps the rejection of an async logger to itself', async () => {
    const unhandled: unknown[] = [];
    const collect = (error: unknown) => void unhandled.push(error);
    process.on('unhandledRejection', collect);
    const broken = async () => {
      throw new Error('disk full');
    };
    safeLogger({ debug: broken, info: broken, warn: broken, error: broken }).error('m', {});
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', collect);
    expect(unhandled).toEqual([]);
  });

  it('cuts a long field of any logger and says how much is missing', () => {
    const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
    const fields = { runId: 'x'.repeat(20_000), stepId: 'y'.repeat(1_000), bytes: 1_001, none: undefined };
    safeLogger(logger).warn('m', fields);
    expect(logger.warn).toHaveBeenCalledExactlyOnceWith('m', { ...fields, runId: `${'x'.repeat(1_000)}… (19000 more)` });
    expect(fields.runId).toHaveLength(20_000);
  });

  it('keeps what the logger throws to itself', () => {
    const broken = () => {
      throw new Error('no disk');
    };
    expect(() => safeLogger({ debug: broken, info: broken, warn: broken, error: broken }).error('m', {})).not.toThrow();
  });
});

/** DEL, the C1 control that begins an escape sequence, and what turns the direction of writing. */
const HIDDEN = '\u007f\u0085\u009b\u061c\u200f\u202e\u2066\u2069\u2028';

describe('on Lambda', () => {
  it('writes one line of JSON', () => {
    vi.useFakeTimers({ now: Date.UTC(2026, 10, 23) });
    defaultLogger('info', LAMBDA).warn('result\nrefused', { runId: 'run\n1', seq: 2, retried: true, stepId: undefined });
    expect(lines).toHaveLength(1);
    const [level, line] = lines[0] ?? [];
    expect(level).toBe('warn');
    expect(line).not.toContain('\n');
    expect(JSON.parse(String(line))).toEqual({
      level: 'warn',
      message: 'result\nrefused',
      timestamp: '2026-11-23T00:00:00.000Z',
      runId: 'run\n1',
      seq: 2,
      retried: true,
    });
  });

  it('escapes controls and bidirectional marks of a field, which a terminal would obey', () => {
    defaultLogger('info', LAMBDA).info('m', { runId: `a${HIDDEN}b` });
    expect(String(lines[0]?.[1])).toMatch(/^[\x20-\x7e]+$/);
    expect(JSON.parse(String(lines[0]?.[1]))).toMatchObject({ runId: `a${HIDDEN}b` });
  });

  it('lets no field pass for its own', () => {
    defaultLogger('info', LAMBDA).info('true', { level: 'error', message: 'forged', timestamp: 'never' });
    expect(JSON.parse(String(lines[0]?.[1]))).toMatchObject({
      level: 'info',
      message: 'true',
      timestamp: expect.stringMatching(/^\d{4}-/),
    });
  });
});

describe('elsewhere', () => {
  it('writes a readable line', () => {
    expect(text('started')).toBe('[durable-sqs-lambda] info started');
    expect(text('sent', { runId: 'run-1', stepId: 'run-1:2', bytes: 7, ok: false, none: undefined })).toBe(
      '[durable-sqs-lambda] info sent runId=run-1 stepId=run-1:2 bytes=7 ok=false',
    );
  });

  it.each([
    ['two words', '"two words"'],
    ['', '""'],
    ['a=b', '"a=b"'],
    ['say "hi"', '"say \\"hi\\""'],
    ['line\n[durable-sqs-lambda] error forged', '"line\\n[durable-sqs-lambda] error forged"'],
    ['\u001b[31mred', '"\\u001b[31mred"'],
    ['https://sqs/1/q?x', 'https://sqs/1/q?x'],
    ['ümlaut😀', 'ümlaut😀'],
    ['a\u009b31mb', '"a\\u009b31mb"'],
    ['a\u007fb', '"a\\u007fb"'],
    ['gnp.\u202exe', '"gnp.\\u202exe"'],
    ['a\u2066b\u2069', '"a\\u2066b\\u2069"'],
    ['a\u2028b', '"a\\u2028b"'],
  ])('quotes %j, a run id say, only where it could be misread', (value, written) => {
    expect(text('m', { runId: value })).toBe(`[durable-sqs-lambda] info m runId=${written}`);
  });
});

describe('errorFields', () => {
  it('gives the message of our own errors too, which hold ids only', () => {
    const refused = new SqsRequestError('SendMessageBatch', 'AccessDenied', false, { cause: new Error('card 4111') });
    const reason = 'SQS SendMessageBatch failed: AccessDenied';
    expect(errorFields(refused)).toEqual({ errorName: 'SqsRequestError', errorCode: 'sqs_request', reason });
  });

  it('withholds the message of a step failure: a schema library wrote part of it', () => {
    const failed = new StepFailedError('invalid_input', 'must be a string (was 4111)');
    expect(errorFields(failed)).toEqual({ errorName: 'StepFailedError', errorCode: 'invalid_input' });
  });

  it('gives name and code, never the message', () => {
    const error = Object.assign(new RangeError('card 4111'), { code: 'declined', cause: 'card 4111' });
    expect(errorFields(error)).toEqual({ errorName: 'RangeError', errorCode: 'declined' });
  });

  it('leaves out a code that is no text', () => {
    expect(errorFields(Object.assign(new Error('m'), { code: 4111 }))).toEqual({ errorName: 'Error' });
    expect(errorFields(new Error('m'))).toEqual({ errorName: 'Error' });
  });

  it.each([
    ['card 4111', 'string'],
    [4111, 'number'],
    [undefined, 'undefined'],
    [null, 'object'],
    [{ name: 'card 4111' }, 'object'],
  ])('gives only the kind of %j, which is no error', (thrown, errorName) => {
    expect(errorFields(thrown)).toEqual({ errorName });
  });
});
