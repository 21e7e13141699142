import { type ChildProcess, fork } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FunctionEvent, HandlerOutcome, InvocationSettings } from '../lambda-runtime.ts';
import type { FromProcess, HandlerKind, ToProcess } from './protocol.ts';

/** The built file of a handler. */
export interface HandlerCode {
  readonly file: string;
  /**
   * What to write where the file is missing: `serverless package` empties the folder that the files of `sls durable
   * local` lie in.
   */
  readonly text?: string;
  readonly exportName: string;
  /** Whether the export may be one of the default's: the `module.exports` of CommonJS code. */
  readonly fromDefault: boolean;
}

export type LoadOutcome =
  | { readonly ok: true; readonly handler: HandlerKind }
  /** `problem` may have several lines. */
  | { readonly ok: false; readonly problem: string };

/** What a process ends with: a reason in a few words, and the error with its stack where there was one. */
export interface ProcessEnd {
  readonly reason: string;
  readonly detail?: string;
}

/** One process of a function. Load first, then one invocation at a time, as in one of Lambda's environments. */
export interface FunctionProcess {
  load(code: HandlerCode, timeoutMs: number): Promise<LoadOutcome>;
  /** Never rejects. A process that is past its timeout is killed. */
  invoke(event: FunctionEvent, settings: InvocationSettings): Promise<HandlerOutcome>;
  readonly ended: boolean;
  kill(): void;
}

export interface ProcessOptions {
  /** The whole environment of the process. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Memory of the function, in MB: the heap gets nine tenths of it, as on Lambda. */
  readonly memorySizeMb: number;
  /** Further flags of Node. @default none */
  readonly execArgv?: readonly string[];
  /** Where goes what the handler prints: to this process's own streams, all of it to stderr, or nowhere. */
  readonly output: 'inherit' | 'stderr' | 'none';
  /** Called when the process ends by itself while nobody waits for an answer. */
  readonly onIdleEnd: (end: ProcessEnd) => void;
}

/** What the parent waits for: an answer, the end of the process, or the end of the time. */
type Answer = FromProcess | { readonly kind: 'ended'; readonly end: ProcessEnd } | { readonly kind: 'late' };

/** Beside this module, in the sources and in the package: under the same ending. */
const RUNTIME = fileURLToPath(new URL(`./local-runtime${extname(fileURLToPath(import.meta.url))}`, import.meta.url));

const HEAP_SHARE = 0.9;
const STDOUT = { inherit: 'inherit', stderr: 2, none: 'ignore' } as const;

/** Processes that run; none outlives this one. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts a process. It can be asked to load at once: what is asked waits until Node is up. */
export function startProcess(options: ProcessOptions): FunctionProcess {
  const { env, memorySizeMb, output, execArgv = [], onIdleEnd } = options;
  const child = fork(RUNTIME, [], {
    env,
    // Those of this process would be inherited otherwise: a debugger's port among them.
    execArgv: ['--enable-source-maps', `--max-old-space-size=${Math.floor(memorySizeMb * HEAP_SHARE)}`, ...execArgv],
    stdio: ['ignore', STDOUT[output], output === 'none' ? 'ignore' : 'inherit', 'ipc'],
  });
  running.add(child);
  let answer: ((answer: Answer) => void) | undefined;
  let fatal: ProcessEnd | undefined;
  let ended = false;
  let killed = false;
  let debugged = false;

  child.on('message', (message: FromProcess) => {
    if (message.kind === 'fatal') fatal = { reason: message.reason, detail: message.detail };
    else answer?.(message);
  });
  const onEnd = (end: ProcessEnd) => {
    if (ended) return;
    ended = true;
    running.delete(child);
    if (answer !== undefined) answer({ kind: 'ended', end });
    else if (!killed) onIdleEnd(end);
  };
  child.once('error', (error) => onEnd({ reason: `its process could not be started: ${error.message}` }));
  child.once('exit', (code, signal) => onEnd(fatal ?? { reason: exitReason(code, signal, memorySizeMb) }));

  function ask(message: ToProcess, timeoutMs: number): Promise<Answer> {
    return new Promise((resolve) => {
      if (ended) return resolve({ kind: 'ended', end: { reason: 'its process had ended' } });
      // Time stands still in a debugger.
      const timer = debugged ? undefined : setTimeout(() => answer?.({ kind: 'late' }), timeoutMs);
      answer = (given) => {
        clearTimeout(timer);
        answer = undefined;
        if (given.kind === 'late') kill();
        resolve(given);
      };
      // A process that ended meanwhile says so by its exit.
      child.send(message, () => undefined);
    });
  }

  function kill(): void {
    killed = true;
    child.kill('SIGKILL');
  }

  return {
    async load({ file, text, exportName, fromDefault }, timeoutMs) {
      try {
        writeMissing(file, text);
      } catch (error) {
        return { ok: false, problem: `its built file cannot be written: ${error instanceof Error ? error.message : 'unknown'}` };
      }
      const given = await ask({ kind: 'load', file, exportName, fromDefault }, timeoutMs);
      switch (given.kind) {
        case 'loaded':
          debugged = given.debugged;
          return { ok: true, handler: given.handler };
        case 'not-loaded':
          return { ok: false, problem: given.problem };
        case 'late':
          return {
            ok: false,
            problem: `expected it to load within ${timeoutMs} ms, as Lambda does; does its module await something that never settles?`,
          };
        case 'ended':
          return { ok: false, problem: given.end.detail ?? `while it was loaded, ${given.end.reason}` };
        default:
          return { ok: false, problem: `expected its process to load it, got ${given.kind}` };
      }
    },

    async invoke(event, settings) {
      const given = await ask({ kind: 'invoke', event, settings }, settings.timeoutMs);
      switch (given.kind) {
        case 'returned':
          return { kind: 'returned', response: given.json === undefined ? undefined : JSON.parse(given.json) };
        case 'threw':
          return { kind: 'threw', error: new HandlerError(given.errorName, given.stack) };
        case 'late':
          return { kind: 'timeout' };
        case 'ended':
          return { kind: 'exited', ...endOutcome(given.end) };
        default:
          return { kind: 'exited', reason: `expected its process to answer, got ${given.kind}` };
      }
    },

    get ended() {
      return ended || killed;
    },
    kill,
  };
}

/** What was thrown in a handler's process: name and stack are those of the original. */
export class HandlerError extends Error {
  override readonly name: string;

  constructor(name: string, stack: string) {
    super('thrown by the handler');
    this.name = name;
    this.stack = stack;
  }
}

function writeMissing(file: string, text: string | undefined): void {
  if (text === undefined || existsSync(file)) return;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

function endOutcome({ reason, detail }: ProcessEnd): { reason: string; error?: HandlerError } {
  return detail === undefined ? { reason } : { reason, error: new HandlerError('Error', detail) };
}

/** V8 aborts the process where its heap is full; as an exit code, where a shell stands between. */
function exitReason(code: number | null, signal: NodeJS.Signals | null, memorySizeMb: number): string {
  if (signal === 'SIGABRT' || code === 134) return `its process was aborted: out of memory? (memorySize: ${memorySizeMb} MB)`;
  if (signal !== null) return `its process was killed by ${signal}`;
  return `its process exited with code ${code}: a handler must return, not call process.exit`;
}
