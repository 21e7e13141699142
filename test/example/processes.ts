import { spawn } from 'node:child_process';
import { readersEnvironment } from './project.ts';

/** A process of the example, as a reader starts it in a shell of its own. */
export interface ExampleProcess {
  /** Both outputs so far. */
  output(): string;
  /** Resolves when the output has a line that matches; rejects where the process ends before, or after a minute. */
  printed(line: RegExp): Promise<string>;
  /** Ends it by a signal. @returns its exit code, or the signal that ended it */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | undefined>;
}

export interface ProcessOptions {
  readonly folder: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

const START_MS = 60_000;
const END_MS = 30_000;

export function startProcess({ folder, command, args, environment }: ProcessOptions): ExampleProcess {
  const child = spawn(command, args, { cwd: folder, env: readersEnvironment(environment), stdio: ['ignore', 'pipe', 'pipe'] });
  const listeners = new Set<() => void>();
  let output = '';
  let ended: number | NodeJS.Signals | undefined;
  const notify = () => {
    for (const listener of listeners) listener();
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      notify();
    });
  }
  child.once('error', (error) => {
    output += `${error.message}\n`;
  });
  const exited = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      ended = code ?? signal ?? 1;
      resolve();
      notify();
    });
  });
  return {
    output: () => output,
    printed: (line) =>
      new Promise((resolve, reject) => {
        const settle = (done: () => void) => {
          clearTimeout(timer);
          listeners.delete(look);
          done();
        };
        const fail = (what: string) => settle(() => reject(new Error(`${command} ${args.join(' ')} ${what}\n${output}`)));
        const look = () => {
          const [found] = line.exec(output) ?? [];
          if (found !== undefined) settle(() => resolve(found));
          else if (ended !== undefined) fail(`ended with ${ended} before it printed ${line}`);
        };
        const timer = setTimeout(() => fail(`has not printed ${line}`), START_MS);
        listeners.add(look);
        look();
      }),
    async end(signal) {
      child.kill(signal);
      const killer = setTimeout(() => child.kill('SIGKILL'), END_MS);
      await exited;
      clearTimeout(killer);
      return ended;
    },
  };
}
