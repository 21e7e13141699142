import { kindOf } from '../../wire/json.ts';
import type { Field, Fields, Kind } from './schema.ts';

/** The mistakes of one serverless.yml, in the order they were found. */
export class Problems {
  readonly #lines: string[] = [];

  /** @param what what was expected, what was got, and what to do */
  add(path: string, what: string): void {
    this.#lines.push(`${path}: ${what}`);
  }

  get lines(): readonly string[] {
    return this.#lines;
  }
}

/**
 * One object of the file, checked against its table: what is unknown or wrong is a problem and reads as absent.
 *
 * Variables of serverless (`${env:SIZE}`) arrive as text, so `"10"` counts as 10 and `"true"` as true.
 */
export class Section {
  readonly path: string;
  readonly #values = new Map<string, unknown>();
  readonly #fields: Fields;
  readonly #problems: Problems;

  constructor(value: unknown, path: string, fields: Fields, problems: Problems, hints: Readonly<Record<string, string>> = {}) {
    this.path = path;
    this.#fields = fields;
    this.#problems = problems;
    for (const [name, given] of Object.entries(entriesOf(value))) {
      // An empty line of YAML.
      if (given === null || given === undefined) continue;
      const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
      if (field === undefined) problems.add(`${path}.${name}`, unknownKey(fields, hints[name]));
      else this.#read(name, field, given);
    }
    for (const [name, field] of Object.entries(fields)) {
      if (field.required === true && (entriesOf(value)[name] ?? null) === null) {
        problems.add(`${path}.${name}`, `expected ${expectation(field)}, got nothing; add it (${field.description})`);
      }
    }
  }

  text(name: string): string | undefined {
    const value = this.#values.get(name);
    return typeof value === 'string' ? value : undefined;
  }

  integer(name: string): number | undefined {
    const value = this.#values.get(name);
    return typeof value === 'number' ? value : undefined;
  }

  flag(name: string): boolean | undefined {
    const value = this.#values.get(name);
    return typeof value === 'boolean' ? value : undefined;
  }

  /** The items of the list under a key; none where there is no list. */
  list(name: string): readonly unknown[] {
    const value = this.#values.get(name);
    return Array.isArray(value) ? value : [];
  }

  /** The object under a key; undefined where there is none, or something else. */
  section(name: string): Section | undefined {
    const value = this.#values.get(name);
    const kind = this.#fields[name]?.accepts.find((candidate) => candidate.is === 'object');
    return isObject(value) && kind !== undefined ? new Section(value, `${this.path}.${name}`, kind.fields, this.#problems) : undefined;
  }

  #read(name: string, field: Field, given: unknown): void {
    for (const kind of field.accepts) {
      const value = fits(kind, given);
      if (value !== undefined) {
        this.#values.set(name, value);
        return;
      }
    }
    this.#problems.add(`${this.path}.${name}`, `expected ${expectation(field)}, got ${shown(given)} (${field.description})`);
  }
}

/** The settings of an event that may also be just `true`. */
export function switchSection(value: unknown, path: string, fields: Fields, problems: Problems): Section {
  if (value !== true && !isObject(value)) {
    problems.add(path, `expected true, or an object of ${Object.keys(fields).join(', ')}, got ${shown(value)}`);
  }
  return new Section(value, path, fields, problems);
}

/** The own entries of an object of the file; none where it is not an object. */
export function entriesOf(value: unknown): Readonly<Record<string, unknown>> {
  return isObject(value) ? Object.fromEntries(Object.entries(value)) : {};
}

/** A value short enough for a message; a file may hold secrets, so nothing long and nothing nested. */
export function shown(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return value.length <= 80 ? JSON.stringify(value) : 'a long string';
  return kindOf(value);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value as the kind has it, or undefined where it is not one. */
function fits(kind: Kind, given: unknown): unknown {
  switch (kind.is) {
    case 'text':
      return typeof given === 'string' && given !== '' && (kind.pattern === undefined || kind.pattern.test(given)) ? given : undefined;
    case 'integer': {
      const number = typeof given === 'string' && /^\d+$/.test(given) ? Number(given) : given;
      return typeof number === 'number' && Number.isSafeInteger(number) && number >= kind.minimum && number <= kind.maximum
        ? number
        : undefined;
    }
    case 'boolean':
      return asBoolean(given);
    case 'constant':
      return asBoolean(given) === kind.value ? kind.value : undefined;
    case 'object':
      return isObject(given) ? given : undefined;
    case 'list':
      return Array.isArray(given) ? given : undefined;
  }
}

function asBoolean(given: unknown): boolean | undefined {
  if (typeof given === 'boolean') return given;
  if (given === 'true') return true;
  return given === 'false' ? false : undefined;
}

function unknownKey(fields: Fields, hint: string | undefined): string {
  return hint ?? `unknown key, expected one of ${Object.keys(fields).join(', ')}; remove it or correct its spelling`;
}

function expectation({ accepts }: Field): string {
  return accepts.map(kindWords).join(' or ');
}

function kindWords(kind: Kind): string {
  switch (kind.is) {
    case 'text':
    case 'list':
      return kind.words;
    case 'integer':
      return `an integer from ${kind.minimum} to ${kind.maximum}`;
    case 'boolean':
      return 'true or false';
    case 'constant':
      return String(kind.value);
    case 'object':
      return `an object of ${Object.keys(kind.fields).join(', ')}`;
  }
}
