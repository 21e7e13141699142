import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { HandlerOutcome } from '../../../src/local/lambda-runtime.ts';
import { isRecord } from '../../../src/wire/shape.ts';
import type { ProcessOptions } from '../messages.ts';
import type { Invocation, InvocationAnswer } from './invocation.ts';

const SCRIPT = fileURLToPath(new URL('./environment-process.ts', import.meta.url));

/** Exit code of `src/engine-function/abandon.ts`. */
const ENDED_ITSELF = 1;
/** One that is frozen does not see that its parent has gone. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/**
 * An environment of the engine function. It runs while it has an invocation, and stands still from its answer to the
 * next one.
 */
export class Environment {
  readonly name: string;
  readonly #child: ChildProcess;
  #answer: (outcome: HandlerOutcome) => void = () => undefined;
  #isDead = false;
  #endedItself = false;

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
    child.on('message', (answer: unknown) => {
      if (!isAnswer(answer)) return;
      this.#child.kill('SIGSTOP');
      this.#answer('thrown' in answer ? { kind: 'threw', error: new Error(answer.thrown) } : { kind: 'returned', ...answer });
    });
    child.once('exit', (code, signal) => {
      running.delete(child);
      this.#isDead = true;
      this.#endedItself = code === ENDED_ITSELF;
      this.#answer({ kind: 'exited', reason: `its process ended (${signal ?? code})` });
    });
  }

  /**
   * @param compileCache folder where environments keep what V8 has compiled: the next one starts in a third of the time
   */
  static async start(options: ProcessOptions, compileCache: string): Promise<Environment> {
    const child = fork(SCRIPT, [JSON.stringify(options)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      // The process is Lambda's: it may end itself.
      env: { ...process.env, NODE_COMPILE_CACHE: compileCache, AWS_LAMBDA_RUNTIME_API: '127.0.0.1:1' },
    });
    running.add(child);
    await once(child, 'message', { signal: AbortSignal.timeout(60_000) });
    return new Environment(options.name, child);
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** The engine function ended it, because the store had not answered at the end of an invocation. */
  get endedItself(): boolean {
    return this.#endedItself;
  }

  /** One at a time. Kills the process when the time is up, as Lambda does. */
  async invoke(invocation: Invocation): Promise<HandlerOutcome> {
    const { promise, resolve } = Promise.withResolvers<HandlerOutcome>();
    this.#answer = resolve;
    const timer = setTimeout(() => {
      resolve({ kind: 'timeout' });
      this.stop();
    }, invocation.settings.timeoutMs);
    this.#child.kill('SIGCONT');
    this.#child.send(invocation, () => undefined);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** SIGKILL: nothing on Lambda ends otherwise. A frozen process takes it, too. */
  stop(): void {
    this.#isDead = true;
    this.#child.kill('SIGKILL');
  }
}

function isAnswer(value: unknown): value is Exclude<InvocationAnswer, { readonly ready: true }> {
  return isRecord(value) && ('response' in value || 'thrown' in value);
}
