import { HIDDEN } from '../../../hidden-characters.ts';
import { unicodeEscape } from '../../../wire/json.ts';

/** Longer texts are cut where people read them; `--json` has them whole. */
const MAX_LENGTH = 200;
const SHORT_ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** A text from outside on one line, 200 characters at most. */
export function oneLine(text: string): string {
  const shown = text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}… (${text.length} characters)` : text;
  return shown.replace(HIDDEN, shortEscape);
}

/**
 * Output as it may go to a terminal: line feeds and tabs stay, all that a terminal obeys is escaped. Of JSON the value
 * stays the same.
 */
export function printable(text: string): string {
  return text.replace(HIDDEN, (character) => (character === '\n' || character === '\t' ? character : shortEscape(character)));
}

function shortEscape(character: string): string {
  return SHORT_ESCAPES[character] ?? unicodeEscape(character);
}

/** `3 messages`, `1 message`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** A duration in its largest unit: `45s`, `12m`, `3h`, `5d`. */
export function age(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`;
}
