import { type ChildProcess, spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fleet } from './fleet.ts';
import type { PostgresServer } from './postgres-server.ts';

export const DISTURBANCES = ['none', 'busy', 'rolling', 'kills', 'postgres', 'sqs'] as const;
export type Disturbance = (typeof DISTURBANCES)[number];

export interface DisturbanceOptions {
  readonly fleet: Fleet;
  readonly engines: number;
  readonly postgres: PostgresServer;
  /** Freezes SQS, or thaws it. */
  readonly freezeSqs: (frozen: boolean) => void;
  /** How long runs are started. */
  readonly forMs: number;
}

const SQS_AWAY_MS = 4_000;

/**
 * Disturbs everything while runs are started. Gives the moments of what is no end of a process, which the fleet knows,
 * epoch milliseconds.
 */
export async function disturb(disturbance: Disturbance, options: DisturbanceOptions): Promise<number[]> {
  const { fleet, engines, postgres, freezeSqs, forMs } = options;
  const moments: number[] = [];
  const slots = Array.from({ length: engines }, (_, index) => index + 1);
  switch (disturbance) {
    case 'none':
      break;
    case 'busy': {
      // Both processors, and as much again, at work on something else.
      const burners = Array.from({ length: availableParallelism() * 2 }, burner);
      await sleep(forMs + 5_000);
      for (const child of burners) child.kill('SIGKILL');
      break;
    }
    case 'rolling':
      for (const slot of slots) {
        await sleep(forMs / (engines + 1));
        await fleet.replace('engine', slot);
      }
      break;
    case 'kills':
      for (const slot of slots) {
        await sleep(forMs / (engines * 2 + 1));
        await fleet.kill('engine', slot);
        await sleep(forMs / (engines * 2 + 1));
        await fleet.kill('worker', (slot % 2) + 1);
      }
      break;
    case 'postgres':
      for (const _ of [1, 2]) {
        await sleep(forMs / 3);
        moments.push(Date.now());
        await postgres.crash();
        moments.push(Date.now());
      }
      break;
    case 'sqs':
      await sleep(forMs / 3);
      moments.push(Date.now());
      freezeSqs(true);
      await sleep(SQS_AWAY_MS);
      freezeSqs(false);
      moments.push(Date.now());
      break;
  }
  return moments;
}

function burner(): ChildProcess {
  return spawn(process.execPath, ['-e', 'for (;;) Math.sqrt(Math.random());'], { stdio: 'ignore' });
}
