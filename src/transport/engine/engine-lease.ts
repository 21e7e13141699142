/** The engine's lease on a run, by default; `leaseMs` of an engine may say otherwise. */
export const ENGINE_LEASE_MS = 30_000;

/** By then the lock of an instance that died is free. */
export const LOCK_FREE_MS = 2 * ENGINE_LEASE_MS;
