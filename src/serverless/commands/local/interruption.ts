/** Exit code of a program that Ctrl-C ended. */
const INTERRUPTED = 130;

/**
 * Handles Ctrl-C and SIGTERM. Until `onceReady()` is called they end the process at once: no message was received yet,
 * and the terminal has interrupted esbuild's process as well, so no build would ever end. After that the first one
 * resolves the promise, and the second ends the process.
 */
export function listenForInterruption(): { onceReady(): Promise<void> } {
  let endNow = true;
  const interrupted = Promise.withResolvers<void>();
  const listener = () => {
    if (endNow) process.exit(INTERRUPTED);
    endNow = true;
    interrupted.resolve();
  };
  process.on('SIGINT', listener);
  process.on('SIGTERM', listener);
  return {
    onceReady() {
      endNow = false;
      return interrupted.promise;
    },
  };
}
