import { settle } from '../../support/fake-timing.ts';

/**
 * Runs what leaves rejections unhandled that are not ours: where a store fails inside a turn, the engine rejects the
 * promise of the turn and, beside it, one that nobody holds. Gives those that came.
 */
export async function toleratingUnhandledRejections(run: () => Promise<void>): Promise<unknown[]> {
  const came: unknown[] = [];
  const collect = (error: unknown) => void came.push(error);
  const listeners = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', collect);
  try {
    await run();
    await settle();
  } finally {
    process.off('unhandledRejection', collect);
    for (const listener of listeners) process.on('unhandledRejection', listener);
  }
  return came;
}
