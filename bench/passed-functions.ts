/** Which functions of `src/` a span passes, by V8's precise coverage, and which of them are retry loops. */
import { readFileSync } from 'node:fs';
import { type Profiler, Session } from 'node:inspector';
import { fileURLToPath } from 'node:url';

export interface PassedFunction {
  /** Relative to `src/`. */
  readonly file: string;
  readonly name: string;
  readonly line: number;
  /** Where it begins in its file, in characters. */
  readonly start: number;
  /** Times it was entered. Coverage without blocks also counts each time it went on after an `await`. */
  readonly count: number;
  readonly retryLoop: boolean;
}

interface Script {
  readonly file: string;
  /** Without comments and literals, every other character in its place. */
  readonly code: string;
  readonly functions: Map<string, CodeRange>;
}

interface CodeRange {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

const SOURCES = new URL('../src/', import.meta.url).href;
/** Parts of the package that no message passes in production. */
const LEFT_OUT = ['local/', 'serverless/'];

/** Coverage of this process. Start it before `src/` is loaded: what was compiled earlier counts no blocks. */
export class PassedFunctions {
  readonly #session = new Session();
  readonly #scripts = new Map<string, Script>();

  /** @param blocks Counts entries only. Without, each `await` that a function comes back from counts too. */
  constructor(blocks: boolean) {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: blocks });
  }

  /** What was passed since the last call. Done before it returns, so nothing else gets in between. */
  take(): readonly PassedFunction[] {
    const taken: Profiler.ScriptCoverage[] = [];
    this.#session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error !== null) throw error;
      taken.push(...answer.result);
    });
    return taken.flatMap(({ url, functions }) => {
      const script = this.#script(url);
      return script === undefined ? [] : passedOf(script, functions);
    });
  }

  #script(url: string): Script | undefined {
    const file = url.startsWith(SOURCES) ? url.slice(SOURCES.length) : '';
    if (file === '' || LEFT_OUT.some((folder) => file.startsWith(folder))) return undefined;
    let script = this.#scripts.get(url);
    if (script === undefined) {
      // Node takes the types out in place, so that the offsets are those of the file.
      script = { file, code: codeOf(readFileSync(fileURLToPath(url), 'utf8')), functions: new Map() };
      this.#scripts.set(url, script);
    }
    return script;
  }
}

function passedOf(script: Script, functions: readonly Profiler.FunctionCoverage[]): PassedFunction[] {
  const passed: { readonly range: CodeRange; readonly count: number }[] = [];
  for (const { functionName, ranges } of functions) {
    const [whole] = ranges;
    // The module itself is a function from its first character to its last.
    if (whole === undefined || (whole.startOffset === 0 && whole.endOffset >= script.code.length)) continue;
    const range = { name: functionName, start: whole.startOffset, end: whole.endOffset };
    // V8 lists what is in a function only where that one was passed: each span adds what the others did not tell.
    script.functions.set(`${range.start}-${range.end}`, range);
    if (whole.count > 0) passed.push({ range, count: whole.count });
  }
  return passed.map(({ range, count }) => ({
    file: script.file,
    name: range.name === '' ? '(anonymous)' : range.name,
    line: script.code.slice(0, range.start).split('\n').length,
    start: range.start,
    count,
    retryLoop: isRetryLoop(script, range),
  }));
}

/**
 * The rule, on a function's own code (what is in functions within it belongs to those):
 *
 * 1. a `for`, `while` or `do` that awaits, and that holds a `try` or has no end but a return or a throw in its body.
 *    Not `for … of` and `for … in`, which go on to the next one;
 * 2. or a `try` whose `catch` calls what the `try` awaited, itself or by functions of the same file: a second try that
 *    is written out, or a recursion.
 *
 * A helper that takes the call to try (`retry`) is one loop for each time that it is entered. `promise.catch(again)`
 * is not seen.
 */
function isRetryLoop(script: Script, range: CodeRange): boolean {
  const own = ownCode(script, range);
  if (loopsOf(own).some(triesAgain)) return true;
  return triesOf(own).some(({ tried, start, end }) => {
    // With the functions within the catch clause: it hands them to what calls them.
    const caught = script.code.slice(range.start + start, range.start + end);
    return callsAgain(script, awaitedCalls(tried), caught);
  });
}

function triesAgain({ header, body }: { readonly header: string; readonly body: string }): boolean {
  if (!/\bawait\b/.test(body) || /\b(?:of|in)\b/.test(header)) return false;
  return /\btry\s*\{/.test(body) || /^\s*true\s*$/.test(header) || /^[^;]*;\s*;/.test(header);
}

function callsAgain(script: Script, awaited: ReadonlySet<string>, caught: string): boolean {
  const called = callsIn(caught);
  // A set hands out what is added on the way.
  for (const name of called) {
    if (awaited.has(name)) return true;
    const bodies = named(script, name).map(({ start, end }) => script.code.slice(start, end));
    for (const further of bodies.flatMap((body) => [...callsIn(body)])) called.add(further);
  }
  return false;
}

function named(script: Script, name: string): CodeRange[] {
  return [...script.functions.values()].filter((range) => range.name === name);
}

/** The function's code, with blanks for the functions within it. */
function ownCode({ code, functions }: Script, { start, end }: CodeRange): string {
  let own = code.slice(start, end);
  for (const inner of functions.values()) {
    if (inner.start < start || inner.end > end || inner.end - inner.start >= end - start) continue;
    own = own.slice(0, inner.start - start) + ' '.repeat(inner.end - inner.start) + own.slice(inner.end - start);
  }
  return own;
}

function loopsOf(code: string) {
  const headed = [...code.matchAll(/\b(?:for(?:\s+await)?|while)\s*\(/g)].map(({ index, 0: keyword }) => {
    const open = index + keyword.length - 1;
    const close = closing(code, open);
    const body = code.slice(close + 1).trimStart();
    const from = code.length - body.length;
    const to = body.startsWith('{') ? closing(code, from) : code.indexOf(';', from);
    return { header: code.slice(open + 1, close), body: code.slice(from, to < from ? code.length : to) };
  });
  const unheaded = [...code.matchAll(/\bdo\s*\{/g)].map(({ index, 0: keyword }) => {
    const open = index + keyword.length - 1;
    return { header: '', body: code.slice(open, closing(code, open)) };
  });
  return [...headed, ...unheaded];
}

/** Each `try` with a `catch`: what it tries, and where its catch clause starts and ends. */
function triesOf(code: string) {
  return [...code.matchAll(/\btry\s*\{/g)].flatMap(({ index, 0: keyword }) => {
    const open = index + keyword.length - 1;
    const close = closing(code, open);
    const clause = /^\s*catch\s*(?:\([^)]*\)\s*)?\{/.exec(code.slice(close + 1));
    if (clause === null) return [];
    const start = close + clause[0].length;
    return [{ tried: code.slice(open, close), start, end: closing(code, start) }];
  });
}

function awaitedCalls(code: string): Set<string> {
  const names = [...code.matchAll(/\bawait\s+/g)].map(({ index, 0: keyword }) => {
    let from = index + keyword.length;
    // `await (await sender()).send(message)`
    if (code[from] === '(') from = closing(code, from) + 1;
    const callee = /^[\w$#.?\s]*?([\w$#]+)\s*(?:\?\.)?\(/.exec(code.slice(from));
    return callee?.[1];
  });
  return new Set(names.filter((name) => name !== undefined));
}

const NO_CALLS: ReadonlySet<string> = new Set('if for while switch catch return throw await function'.split(' '));

function callsIn(code: string): Set<string> {
  const names = [...code.matchAll(/([\w$#]+)\s*(?:\?\.)?\(/g)].map(([, name = '']) => name);
  return new Set(names.filter((name) => !NO_CALLS.has(name)));
}

const BRACKETS: Readonly<Record<string, number>> = { '(': 1, '[': 1, '{': 1, ')': -1, ']': -1, '}': -1 };

/** Where the bracket at `open` is closed; the end of the code where it never is. */
function closing(code: string, open: number): number {
  let depth = 0;
  for (let index = open; index < code.length; index += 1) {
    depth += BRACKETS[code[index] ?? ''] ?? 0;
    if (depth === 0) return index;
  }
  return code.length;
}

const COMMENT_OR_LITERAL = new RegExp(
  [
    /\/\*[\s\S]*?\*\//,
    /\/\/[^\n]*/,
    /'(?:\\.|[^'\\\n])*'/,
    /"(?:\\.|[^"\\\n])*"/,
    /`(?:\\[\s\S]|[^`\\])*`/,
    /(?<=[(,=:[!&|?{};]\s*)\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\//,
  ]
    .map(({ source }) => source)
    .join('|'),
  'g',
);

function codeOf(source: string): string {
  return source.replace(COMMENT_OR_LITERAL, (text) => text.replace(/[^\n]/g, ' '));
}
