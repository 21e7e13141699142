import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { AwsAddress, Credentials } from '../server/aws-server.ts';
import { awsEnvironment } from '../server/environment.ts';
import type { EngineCommand, EngineMessage, EngineSettings, RunEnd, RunRequest } from './commands.ts';

const PROGRAM = fileURLToPath(new URL('engine-process.ts', import.meta.url));
const RUN_MS = 60_000;

export interface Engine {
  /** Starts runs and gives how each ended, in the order asked for. */
  runs(requests: readonly RunRequest[], timeoutMs?: number): Promise<RunEnd[]>;
  /** How many tasks of a step wait. */
  depth(step: string): Promise<number>;
  /** What it has logged. */
  log(): string;
  stop(): Promise<void>;
}

/** Starts an engine in a process of its own, which holds the given credentials and no others. */
export async function startEngine(
  aws: AwsAddress,
  credentials: Credentials,
  settings: EngineSettings,
  environment: Readonly<Record<string, string>> = {},
): Promise<Engine> {
  const child = fork(PROGRAM, {
    env: {
      PATH: process.env['PATH'],
      ...awsEnvironment(aws, credentials),
      ENGINE_SETTINGS: JSON.stringify(settings),
      ...environment,
    },
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      log += text;
    });
  }
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const failed = exited.then(() => Promise.reject(new Error(`the engine's process has ended:\n${log}`)));
  failed.catch(() => undefined);
  const ready = Promise.withResolvers<void>();
  const ends = new Map<string, (end: RunEnd) => void>();
  const depths = new Map<number, (depth: number) => void>();
  child.on('message', (message: EngineMessage) => {
    if (message.kind === 'ready') ready.resolve();
    else if (message.kind === 'depth') depths.get(message.command)?.(message.depth);
    else ends.get(`${message.command} ${message.run.runId}`)?.(message.run);
  });
  await Promise.race([ready.promise, failed]);
  const send = (message: EngineCommand) => child.send(message);
  let commands = 0;
  return {
    runs: (runs, timeoutMs = RUN_MS) => {
      commands += 1;
      const command = commands;
      const all = runs.map(({ runId }) => new Promise<RunEnd>((resolve) => ends.set(`${command} ${runId}`, resolve)));
      send({ command, kind: 'runs', runs, timeoutMs });
      return Promise.race([Promise.all(all), failed]);
    },
    depth: (step) => {
      commands += 1;
      const command = commands;
      const depth = new Promise<number>((resolve) => depths.set(command, resolve));
      send({ command, kind: 'depth', step });
      return Promise.race([depth, failed]);
    },
    log: () => log,
    stop: async () => {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}
