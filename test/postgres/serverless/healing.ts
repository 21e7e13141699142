/** Where environments are killed: after that another one takes over a run. The engine's own is 30 seconds. */
export const LEASE_MS = 5_000;

/**
 * There, too: a run whose dispatch died with its process is looked at after the first, its step is sent again after the
 * second, and its turn after the third. Where none is killed, nothing needs that.
 */
export const HEALING = { reconcileMs: 6_000, remoteRedispatchMs: 6_000, remoteAdvanceSilenceMs: 6_000 };
