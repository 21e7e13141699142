import { readFileSync } from 'node:fs';

/** A golden message body of `test/fixtures/wire`. */
export function wireFixture(name: string): string {
  return readFileSync(new URL(`../fixtures/wire/${name}.json`, import.meta.url), 'utf8');
}

/** The JSON object of a golden body. */
export function wireFixtureFields(name: string): Record<string, unknown> {
  const value: unknown = JSON.parse(wireFixture(name));
  if (typeof value !== 'object' || value === null) throw new TypeError(`fixture ${name} holds no object`);
  return { ...value };
}

/** An object without some of its fields. */
export function without(value: Record<string, unknown>, ...fields: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([field]) => !fields.includes(field)));
}
