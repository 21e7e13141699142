/**
 * Characters that a terminal obeys instead of showing: controls (C0, DEL, C1), marks that turn the direction of
 * writing, and the line and paragraph separators. Ids and names come from outside: none of them may move the cursor,
 * start a line or hide a part of itself.
 * @see https://trojansource.codes
 */
export const HIDDEN = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;
