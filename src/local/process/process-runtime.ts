import type { FunctionEvent, HandlerOutcome, InvocationSettings, LambdaRuntime } from '../lambda-runtime.ts';
import type { FunctionProcess, HandlerCode, LoadOutcome } from './function-process.ts';

export interface ProcessRuntimeOptions {
  readonly start: () => FunctionProcess;
  /** How long a handler may take to load. Milliseconds. */
  readonly loadMs: number;
  /** After so long without an invocation only one process is kept. @default 60_000 */
  readonly idleMs?: number;
}

const IDLE_MS = 60_000;

/** Code and the processes that have loaded it and wait for an invocation. */
interface Version {
  readonly code: HandlerCode;
  readonly idle: FunctionProcess[];
}

/**
 * Runs a function in processes of its own, each invocation alone in one, as Lambda does: a process that is free is used
 * again, another is started where none is. One that ended is replaced by the next invocation.
 */
export class ProcessRuntime implements LambdaRuntime {
  readonly #options: ProcessRuntimeOptions;
  /** Started ahead, so that Node is up when the first code has been built. */
  #spare: FunctionProcess | undefined;
  #version: Version | undefined;
  #trimming: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: ProcessRuntimeOptions) {
    this.#options = options;
    this.#spare = options.start();
  }

  /**
   * Loads code in a new process. Invocations that start from now on use it, where it loads; those in flight end with
   * the old.
   */
  async load(code: HandlerCode): Promise<LoadOutcome> {
    const process = this.#spare ?? this.#options.start();
    this.#spare = undefined;
    const outcome = await process.load(code, this.#options.loadMs);
    if (!outcome.ok || this.#stopped) {
      process.kill();
      return outcome;
    }
    for (const old of this.#version?.idle ?? []) old.kill();
    this.#version = { code, idle: [process] };
    return outcome;
  }

  async invoke(event: FunctionEvent, settings: InvocationSettings): Promise<HandlerOutcome> {
    const version = this.#version;
    if (version === undefined) return { kind: 'exited', reason: 'its code has not been loaded' };
    const process = freeOf(version) ?? (await this.#another(version));
    if ('problem' in process) return { kind: 'exited', reason: process.problem };
    const outcome = await process.invoke(event, settings);
    this.#release(version, process);
    return outcome;
  }

  /** Ends all processes. Invocations in flight are lost. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#trimming);
    this.#spare?.kill();
    for (const process of this.#version?.idle ?? []) process.kill();
    this.#version = undefined;
  }

  async #another({ code }: Version): Promise<FunctionProcess | { readonly problem: string }> {
    const process = this.#options.start();
    const outcome = await process.load(code, this.#options.loadMs);
    if (outcome.ok) return process;
    process.kill();
    const [firstLine] = outcome.problem.split('\n', 1);
    return { problem: `a further process did not load: ${firstLine}` };
  }

  #release(version: Version, process: FunctionProcess): void {
    if (process.ended) return;
    if (version !== this.#version) {
      process.kill();
      return;
    }
    version.idle.push(process);
    clearTimeout(this.#trimming);
    this.#trimming = setTimeout(() => {
      for (const surplus of version.idle.splice(1)) surplus.kill();
    }, this.#options.idleMs ?? IDLE_MS).unref();
  }
}

/** The process that was used last; one that has ended since is forgotten. */
function freeOf({ idle }: Version): FunctionProcess | undefined {
  for (let process = idle.pop(); process !== undefined; process = idle.pop()) if (!process.ended) return process;
  return undefined;
}
