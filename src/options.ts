import { ConfigurationError } from './errors.ts';
import { LEVELS } from './logger.ts';
import { kindOf } from './wire/json.ts';
import { isRecord } from './wire/shape.ts';

/** What one option must be: in words for the error message, and as a check. */
export interface OptionRule {
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
}

// Each a constant of its own: a bundle holds those that its handlers ask for.
export const aString: OptionRule = { expected: 'a non-empty string', accepts: (value) => typeof value === 'string' && value !== '' };
export const aBoolean: OptionRule = { expected: 'true or false', accepts: (value) => typeof value === 'boolean' };
export const aFunction: OptionRule = { expected: 'a function', accepts: (value) => typeof value === 'function' };
export const anObject: OptionRule = { expected: 'an object', accepts: isRecord };
export const aLogger: OptionRule = {
  expected: `a logger with debug, info, warn and error`,
  accepts: (value) => isRecord(value) && LEVELS.every((level) => typeof value[level] === 'function'),
};
export const anSqsClient: OptionRule = { expected: 'an SQSClient', accepts: isClient };
// A client spread as a configuration loses its region, and requests would go to the region of the environment.
export const aClientConfig: OptionRule = {
  expected: 'the configuration of a client, not a client',
  accepts: (value) => isRecord(value) && !isClient(value),
};
export const aSchema: OptionRule = { expected: 'a Standard Schema (zod, valibot, arktype, …)', accepts: isStandardSchema };
export const aPayloadStore: OptionRule = { expected: 'a payload store with thresholdBytes, put and get', accepts: isPayloadStore };
export const aUrl: OptionRule = { expected: 'the URL of a queue', accepts: isUrl };
export const aUrlOrFunction: OptionRule = {
  expected: 'the URL of a queue, or a function that gives it',
  accepts: (value) => typeof value === 'function' || isUrl(value),
};

export function anInteger(minimum: number, maximum?: number): OptionRule {
  return {
    expected: `an integer ${maximum === undefined ? 'of at least' : 'from'} ${minimum}${maximum === undefined ? '' : ` to ${maximum}`}`,
    accepts: (value) => Number.isSafeInteger(value) && Number(value) >= minimum && Number(value) <= (maximum ?? Number(value)),
  };
}

/**
 * Checks options where they come in, so that a typo or a wrong type stops the process at its start, not a message
 * later.
 * @throws ConfigurationError naming the option, what was expected and what was got.
 */
export function checkOptions(where: string, options: unknown, rules: Readonly<Record<string, OptionRule>>): asserts options is object {
  if (!isRecord(options)) throw new ConfigurationError(`${where}: expected options to be an object, got ${kindOf(options)}`);
  for (const [name, value] of Object.entries(options)) {
    const known = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (known === undefined) {
      throw new ConfigurationError(`${where}: unknown option "${name}", expected one of ${Object.keys(rules).sort().join(', ')}`);
    }
    if (value !== undefined && !known.accepts(value)) throw mismatch(where, name, known.expected, value);
  }
}

/** The same for options some of which must be given. */
export function checkRequiredOptions(
  where: string,
  options: unknown,
  rules: Readonly<Record<string, OptionRule>>,
  required: readonly string[],
): asserts options is object {
  checkOptions(where, options, rules);
  for (const name of required) {
    if (Reflect.get(options, name) === undefined) throw mismatch(where, name, rules[name]?.expected ?? 'given', undefined);
  }
}

/** The error for one option whose value is wrong. */
export function mismatch(where: string, name: string, expected: string, value: unknown): ConfigurationError {
  return new ConfigurationError(`${where}: expected ${name} to be ${expected}, got ${shown(value)}`);
}

/**
 * A value as an error message may show it: numbers, booleans and short strings as they are, everything else by its
 * kind.
 */
function shown(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'string' && value !== '' && value.length <= 80) return JSON.stringify(value);
  return kindOf(value);
}

function isClient(value: unknown): boolean {
  return isRecord(value) && typeof value['send'] === 'function';
}

function isPayloadStore(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { thresholdBytes, put, get } = value;
  return typeof thresholdBytes === 'number' && typeof put === 'function' && typeof get === 'function';
}

// The parser takes an ARN for a URL, and an ARN is what people paste by mistake.
function isUrl(value: unknown): boolean {
  return typeof value === 'string' && /^https?:/i.test(value) && URL.canParse(value);
}

function isStandardSchema(value: unknown): boolean {
  // arktype's schemas are functions.
  const standard: unknown = isRecord(value) || typeof value === 'function' ? Reflect.get(value, '~standard') : undefined;
  return isRecord(standard) && typeof standard['validate'] === 'function';
}
