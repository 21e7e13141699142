import type { DatabaseOptions } from './open-store.d.mts';

/** Tells of every run in the moment in which the database has it as completed. The tables must be there. */
export function watchEnds(options: Omit<DatabaseOptions, 'connections'>, onCompleted: (runId: string) => void): Promise<void>;
