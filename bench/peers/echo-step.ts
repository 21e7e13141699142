import { setTimeout as sleep } from 'node:timers/promises';

/** A name that AWS allows in a queue's name as it is, so that both transports build the same queue name from it. */
export const ECHO_STEP = 'bench_echo';

/** The step of all throughput measurements: gives its input back, after `workMs` of waiting for something else. */
export function echoStep(workMs: number): (input: unknown) => Promise<unknown> {
  if (workMs === 0) return async (input) => input;
  return async (input) => {
    await sleep(workMs);
    return input;
  };
}
