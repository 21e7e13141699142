import type { Deadline } from '../lambda/deadline.ts';
import type { Logger } from '../logger.ts';
import { within } from '../time.ts';
import type { EngineEnvironment } from './engine-environment.ts';
import type { OpenWork } from './open-work.ts';

/** Of the reserve; the rest of it is for the answer. */
const SHARE_FOR_STORE = 0.5;

export interface AbandoningHost {
  readonly environment: EngineEnvironment;
  /** Ends the process. Does nothing where it is not Lambda's. */
  readonly endProcess: () => void;
  readonly logger: Logger;
}

/**
 * Ends some work for good, so that the next delivery of its record begins anew. First it finishes what is half done,
 * where that takes no more than half of the reserve.
 *
 * A process that is frozen in the midst of a transaction keeps its locks: no other one gets at the run until this one
 * is thawed, and then the write lands on top of newer ones. So where the store has not answered by half of the reserve,
 * the process ends: its connections are cut, and the database rolls back. What it held is delivered again, as after a
 * timeout.
 */
export async function abandon(work: OpenWork, deadline: Deadline, { environment, endProcess, logger }: AbandoningHost): Promise<void> {
  await within(deadline.remainingMs() * SHARE_FOR_STORE, work.end());
  work.abandon();
  for (const runId of work.runIds) environment.attached.forget(runId);
  for (const runId of work.askedFor) environment.attached.forgetCalls(runId);
  if (work.isStoreIdle) return;
  logger.error('the store has not answered by the end of the invocation: the process ends, so that it keeps no lock in the database', {
    runIds: [...work.runIds].slice(0, 20).join(' '),
  });
  endProcess();
}

/** On Lambda, which starts another one. In a test or on a laptop the process is somebody else's, too. */
export function endLambdaProcess(): void {
  if (process.env['AWS_LAMBDA_RUNTIME_API'] !== undefined) process.exit(1);
}
