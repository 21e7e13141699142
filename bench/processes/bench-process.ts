import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Fields, isFields, numberOf } from './fields.ts';

export interface BenchProcessOptions {
  /** File in this folder. */
  readonly script: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly nodeOptions?: readonly string[];
}

const STOP_MS = 5_000;

/** A process of its own that takes commands, so that what is measured in it shares no event loop with anything else. */
export class BenchProcess {
  readonly #child: ChildProcess;
  readonly #calls = new Map<number, PromiseWithResolvers<Fields>>();
  readonly #exited: Promise<void>;
  #lastCall = 0;
  #stopping = false;

  private constructor(child: ChildProcess, script: string) {
    this.#child = child;
    child.on('message', (message) => this.#received(message));
    this.#exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        for (const call of this.#calls.values()) call.reject(new Error(`${script} ended (${signal ?? code}) with a command in work`));
        if (!this.#stopping && code !== 0) console.error(`${script} ended with ${signal ?? code}`);
        resolve();
      });
    });
  }

  /** Resolves once the process takes commands. */
  static async start({ script, env = {}, nodeOptions = [] }: BenchProcessOptions): Promise<BenchProcess> {
    const child = fork(fileURLToPath(new URL(script, import.meta.url)), {
      env: { ...process.env, ...env },
      execArgv: [...nodeOptions],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    await new Promise((resolve, reject) => {
      child.once('message', resolve);
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`${script} ended with ${code} before it was ready`)));
    });
    return new BenchProcess(child, script);
  }

  /** @throws Error with the child's stack where the command failed or the process ended. */
  call(command: string, fields: Fields = {}): Promise<Fields> {
    this.#lastCall += 1;
    const answered = Promise.withResolvers<Fields>();
    this.#calls.set(this.#lastCall, answered);
    this.#child.send({ ...fields, command, call: this.#lastCall });
    return answered.promise;
  }

  /** Milliseconds of processor time that it has used. */
  async cpuMs(): Promise<number> {
    return numberOf(await this.call('cpu'), 'milliseconds');
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#child.connected) this.#child.disconnect();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
    await this.#exited;
    clearTimeout(timer);
  }

  #received(message: unknown): void {
    if (!isFields(message)) return;
    const { call, error, ...fields } = message;
    if (call === undefined) return;
    const id = numberOf({ call }, 'call');
    const answered = this.#calls.get(id);
    this.#calls.delete(id);
    if (error === undefined) answered?.resolve(fields);
    else answered?.reject(new Error(String(error)));
  }
}
