/** A title as it is written: `%s` and `${…}` are not filled in. */
export interface TestTitle {
  readonly line: number;
  readonly title: string;
}

/**
 * `it('…'`, `it.concurrent('…'`, and the title behind the rows of `it.each(…)`, which stands alone in its call with a
 * function.
 */
const TITLE =
  /(?:\b(?:it|test)(?:\.(?:concurrent|sequential))?|\))\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1,\s*(?:\{[^}]*\},\s*)?(?:async\b|\(|\w+ =>)/g;

/** The titles of the tests of one file, in its order; of a describe only where it stands behind rows. */
export function testTitles(source: string): TestTitle[] {
  return [...source.matchAll(TITLE)].map((match) => ({
    line: source.slice(0, match.index).split('\n').length,
    title: match[2] ?? '',
  }));
}

const NO_BEGINNING = new Set(
  [
    'and or but nor that which where when if as than then so while until because also too once not',
    'with without for in on of to at by from after before behind above below under over into onto',
    'is are was were does do did',
  ].flatMap((words) => words.split(' ')),
);

/**
 * Says of a title that its first word names neither the thing nor what it does, so that alone it says nothing in a list
 * of failures.
 */
export function beginsInMidSentence(title: string): boolean {
  return NO_BEGINNING.has(title.split(/[^a-z]/i, 1)[0]?.toLowerCase() ?? '');
}
