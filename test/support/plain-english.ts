/** A word or phrase that this repository does not use, and what it says instead. */
export interface RefusedWord {
  readonly word: RegExp;
  readonly say: string;
}

/**
 * The table of CONTRIBUTING.md with the heads "not" and "but". A word is refused in any form, a phrase also with a
 * hyphen.
 */
export function refusedWords(contributing: string): RefusedWord[] {
  const table = /^\| not \| but \|\n\| --- \| --- \|\n((?:\|.*\|\n)+)/m.exec(contributing)?.[1] ?? '';
  return [...table.matchAll(/^\| (.+?) \| (.+?) \|$/gm)].flatMap(([, not = '', say = '']) =>
    not.split(', ').map((words) => {
      const [first = '', ...others] = words.split(' ');
      const phrase = [`${first}(?:s|ed|ing)?`, ...others.map((word) => `${word}s?`)].join('[ -]?');
      return { word: new RegExp(`\\b${phrase}\\b`, 'i'), say };
    }),
  );
}

/**
 * Numbers of the lines of a document that are too long to read. Code, tables and headings may be long, and so may lines
 * with a link.
 */
export function longLines(page: string, limit: number): number[] {
  let inCode = false;
  return page.split('\n').flatMap((line, index) => {
    if (/^\s*```/.test(line)) inCode = !inCode;
    const isExempt = inCode || /^\s*(?:\||#|```)/.test(line) || /\]\(|https?:\/\//.test(line);
    return !isExempt && line.length > limit ? [index + 1] : [];
  });
}

/** Numbers of the lines of a source file that are comments and too long to read. */
export function longComments(source: string, limit: number): number[] {
  return source.split('\n').flatMap((line, index) => {
    const isComment = /^\s*(?:\/\/|\/?\*)/.test(line) && !/https?:|biome-ignore/.test(line);
    return isComment && line.length > limit ? [index + 1] : [];
  });
}
