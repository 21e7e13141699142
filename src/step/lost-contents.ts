import { pathText } from './standard-schema.ts';

/**
 * Builtins that hold something and whose JSON is `{}` all the same, as they call themselves in any realm. Not errors: they end up in an output
 * when something failed that the step can do without (`Promise.allSettled`), and the step worked.
 */
const HOLDERS =
  /^\[object ((Weak)?(Map|Set)|Promise|(Shared)?ArrayBuffer|DataView|URLSearchParams|Headers|FormData|Blob|File|Re(quest|sponse)|.*(Iterator|Generator).*)\]$/;

/**
 * Where a value holds something that its JSON does not, and what that is: `output.items[2].prices is a Map`. Looks at all of it.
 * @param name of the value itself
 */
export function lostContents(value: unknown, name: string): string | undefined {
  try {
    return lostAt(value, [name]);
  } catch {
    // A getter that throws now and then, or levels without end: its JSON is there.
    return undefined;
  }
}

function lostAt(value: unknown, path: readonly (string | number)[]): string | undefined {
  if (typeof value !== 'object' || value === null || ('toJSON' in value && typeof value.toJSON === 'function')) return undefined;
  if (Array.isArray(value)) return firstLost(value.entries(), path);
  const fields = Object.entries(value);
  if (fields.length > 0) return firstLost(fields, path);
  const [tag, kind] = HOLDERS.exec(Object.prototype.toString.call(value)) ?? [];
  return tag && `${pathText(path)} is ${kind?.startsWith('A') ? 'an' : 'a'} ${kind}`;
}

function firstLost(fields: Iterable<readonly [string | number, unknown]>, path: readonly (string | number)[]): string | undefined {
  for (const [key, value] of fields) {
    const lost = lostAt(value, [...path, key]);
    if (lost !== undefined) return lost;
  }
  return undefined;
}
