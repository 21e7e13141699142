import { ConfigurationError } from './errors.ts';
import { kindOf } from './wire/json.ts';

/** What one option must be: in words for the error message, and as a check. */
export interface OptionRule {
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
}

export const is = {
  string: rule('a non-empty string', (value) => typeof value === 'string' && value !== ''),
  boolean: rule('true or false', (value) => typeof value === 'boolean'),
  function: rule('a function', (value) => typeof value === 'function'),
  object: rule('an object', (value) => isObject(value) && !Array.isArray(value)),
  logger: rule('a logger with debug, info, warn and error', hasLogMethods),
  sqsClient: rule('an SQSClient', isClient),
  // A client spread as a configuration loses its region, and requests would go to the region of the environment.
  clientConfig: rule(
    'the configuration of a client, not a client',
    (value) => isObject(value) && !Array.isArray(value) && !isClient(value),
  ),
  schema: rule('a Standard Schema (zod, valibot, arktype, …)', isStandardSchema),
  url: rule('the URL of a queue', isUrl),
  urlOrFunction: rule('the URL of a queue, or a function that gives it', (value) => typeof value === 'function' || isUrl(value)),
  integer: (minimum: number, maximum: number = Number.MAX_SAFE_INTEGER) =>
    rule(
      maximum === Number.MAX_SAFE_INTEGER ? `an integer of at least ${minimum}` : `an integer from ${minimum} to ${maximum}`,
      (value) => typeof value === 'number' && Number.isSafeInteger(value) && value >= minimum && value <= maximum,
    ),
};

/**
 * Checks options where they come in, so that a typo or a wrong type stops the process at its start, not a message later.
 * @throws ConfigurationError naming the option, what was expected and what was got.
 */
export function checkOptions(
  where: string,
  options: unknown,
  rules: Readonly<Record<string, OptionRule>>,
  required: readonly string[] = [],
): asserts options is object {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new ConfigurationError(`${where}: expected options to be an object, got ${kindOf(options)}`);
  }
  for (const [name, value] of Object.entries(options)) {
    const known = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (known === undefined) {
      throw new ConfigurationError(`${where}: unknown option "${name}", expected one of ${Object.keys(rules).sort().join(', ')}`);
    }
    if (value !== undefined && !known.accepts(value)) throw mismatch(where, name, known.expected, value);
  }
  for (const name of required) {
    if (Reflect.get(options, name) === undefined) throw mismatch(where, name, rules[name]?.expected ?? 'given', undefined);
  }
}

/** The error for one option whose value is wrong. */
export function mismatch(where: string, name: string, expected: string, value: unknown): ConfigurationError {
  return new ConfigurationError(`${where}: expected ${name} to be ${expected}, got ${shown(value)}`);
}

/** A value as an error message may show it: numbers, booleans and short strings as they are, everything else by its kind. */
function shown(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'string' && value !== '' && value.length <= 80) return JSON.stringify(value);
  return kindOf(value);
}

function rule(expected: string, accepts: (value: unknown) => boolean): OptionRule {
  return { expected, accepts };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function isClient(value: unknown): boolean {
  return isObject(value) && typeof Reflect.get(value, 'send') === 'function';
}

// The parser takes an ARN for a URL, and an ARN is what people paste by mistake.
function isUrl(value: unknown): boolean {
  return typeof value === 'string' && /^https?:/i.test(value) && URL.canParse(value);
}

function hasLogMethods(value: unknown): boolean {
  if (!isObject(value)) return false;
  return ['debug', 'info', 'warn', 'error'].every((method) => typeof Reflect.get(value, method) === 'function');
}

function isStandardSchema(value: unknown): boolean {
  // arktype's schemas are functions.
  if (!isObject(value) && typeof value !== 'function') return false;
  const standard: unknown = Reflect.get(value, '~standard');
  return isObject(standard) && typeof Reflect.get(standard, 'validate') === 'function';
}
