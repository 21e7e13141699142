/** What parent and child processes tell each other. */
export type Fields = Readonly<Record<string, string | number | readonly number[]>>;

export function isFields(value: unknown): value is Fields {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((field) => typeof field === 'string' || typeof field === 'number' || isNumbers(field))
  );
}

export function numberOf(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== 'number') throw new TypeError(`expected "${name}" to be a number, got ${typeof value}`);
  return value;
}

export function numbersOf(fields: Fields, name: string): readonly number[] {
  const value = fields[name];
  if (!isNumbers(value)) throw new TypeError(`expected "${name}" to be a list of numbers, got ${typeof value}`);
  return value;
}

export function textOf(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string') throw new TypeError(`expected "${name}" to be a text, got ${typeof value}`);
  return value;
}

function isNumbers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'number');
}
