/** Bytes that are alive on the heap. The process needs `--expose-gc`. */
export function liveBytes(): number {
  if (globalThis.gc === undefined) throw new Error('expected a process started with --expose-gc');
  // What the first pass makes garbage of (weak references, finalizers) the second one takes.
  globalThis.gc();
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}
