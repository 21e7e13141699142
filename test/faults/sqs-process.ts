import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { isRecord } from '../../src/wire/shape.ts';

/** The SQS server behind the fault injector. */
export interface SqsProcess {
  readonly port: number;
  /** TCP connections that it has open. */
  connections(): Promise<number>;
  /** Stops the process in its tracks, or lets it go on: connections stay open and nothing answers. */
  freeze(frozen: boolean): void;
  stop(): Promise<void>;
}

/** Starts the embedded SQS in a process of its own: its work does not delay the timers of what is tested. */
export async function startSqsProcess(): Promise<SqsProcess> {
  const child = fork(fileURLToPath(new URL('./sqs-server.ts', import.meta.url)), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const answer = async (field: string): Promise<number> => {
    const [message]: unknown[] = await once(child, 'message', { signal: AbortSignal.timeout(30_000) });
    const value = isRecord(message) ? message[field] : undefined;
    if (typeof value !== 'number') throw new Error(`the SQS process answered without ${field}`);
    return value;
  };
  const port = await answer('port');
  return {
    port,
    async connections() {
      const answered = answer('connections');
      child.send('connections?');
      return answered;
    },
    freeze(frozen) {
      child.kill(frozen ? 'SIGSTOP' : 'SIGCONT');
    },
    async stop() {
      const exited = once(child, 'exit');
      child.disconnect();
      await exited;
    },
  };
}
