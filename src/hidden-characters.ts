/**
 * Characters that a terminal obeys instead of showing: controls (C0, DEL, C1), marks that turn the direction of writing, and the line and
 * paragraph separators. Ids and names come from outside: none of them may move the cursor, start a line or hide a part of itself.
 * @see https://trojansource.codes
 */
export const HIDDEN = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** `\u009b` for the character that it stands for; within a JSON string it means the same. */
export function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
