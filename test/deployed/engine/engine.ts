import type { AwsAddress, Credentials } from '../server/aws-server.ts';
import { startChild } from './child-process.ts';
import type { EngineCommand, EngineMessage, EngineSettings, RunEnd, RunRequest } from './commands.ts';

const RUN_MS = 60_000;

export interface Engine {
  /** Starts runs and gives how each ended, in the order asked for. */
  runs(requests: readonly RunRequest[], timeoutMs?: number): Promise<RunEnd[]>;
  /** How runs end that others start, in the order asked for. */
  ends(runIds: readonly string[], timeoutMs?: number): Promise<RunEnd[]>;
  /** How many tasks of a step wait. */
  depth(step: string): Promise<number>;
  /** What it has logged. */
  log(): string;
  stop(): Promise<void>;
  /** Ends it where it stands, as a crash does. */
  kill(): Promise<void>;
}

/** Starts an engine in a process of its own, which holds the given credentials and no others. */
export async function startEngine(
  aws: AwsAddress,
  credentials: Credentials,
  settings: EngineSettings,
  environment: Readonly<Record<string, string>> = {},
): Promise<Engine> {
  const child = await startChild('engine-process.ts', aws, credentials, { ENGINE_SETTINGS: JSON.stringify(settings), ...environment });
  const ends = new Map<string, (end: RunEnd) => void>();
  const depths = new Map<number, (depth: number) => void>();
  child.process.on('message', (message: EngineMessage) => {
    if (message.kind === 'depth') depths.get(message.command)?.(message.depth);
    else if (message.kind === 'ended') ends.get(`${message.command} ${message.run.runId}`)?.(message.run);
  });
  const send = (message: EngineCommand) => child.process.send(message);
  let commands = 0;
  const ended = (command: number, runIds: readonly string[]) => {
    const all = runIds.map((runId) => new Promise<RunEnd>((resolve) => ends.set(`${command} ${runId}`, resolve)));
    return Promise.race([Promise.all(all), child.failed]);
  };
  return {
    runs: (runs, timeoutMs = RUN_MS) => {
      commands += 1;
      const command = commands;
      send({ command, kind: 'runs', runs, timeoutMs });
      return ended(
        command,
        runs.map(({ runId }) => runId),
      );
    },
    ends: (runIds, timeoutMs = RUN_MS) => {
      commands += 1;
      const command = commands;
      send({ command, kind: 'ends', runIds, timeoutMs });
      return ended(command, runIds);
    },
    depth: (step) => {
      commands += 1;
      const command = commands;
      const depth = new Promise<number>((resolve) => depths.set(command, resolve));
      send({ command, kind: 'depth', step });
      return Promise.race([depth, child.failed]);
    },
    log: child.log,
    stop: child.stop,
    kill: child.kill,
  };
}
