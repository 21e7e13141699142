/** Between telling a call to end and giving it up: a request that is told so ends at once, and with a better error. */
const GRACE_MS = 1_000;

/**
 * Runs one call, tells it to end when its time is up or `signal` aborts, and then waits for it no longer: a call that is still getting
 * credentials, say, hears nothing of its signal.
 * @param timedOut what is thrown where the time was up, for what the call threw then
 */
export async function withinTime<T>(
  timeoutMs: number,
  signal: AbortSignal | undefined,
  call: (signal: AbortSignal) => Promise<T>,
  timedOut: (cause: unknown) => unknown = (cause) => cause,
): Promise<T> {
  // Not AbortSignal.any: the outer signal lives as long as its poller, and would collect one dependant per call.
  const controller = new AbortController();
  const { promise: givenUp, reject } = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout | undefined;
  let late = false;
  const abort = () => {
    controller.abort();
    clearTimeout(timer);
    timer = setTimeout(() => reject(unheard()), GRACE_MS);
  };
  timer = setTimeout(() => {
    late = true;
    abort();
  }, timeoutMs);
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted) abort();
  try {
    return await Promise.race([call(controller.signal), givenUp]);
  } catch (error) {
    throw late ? timedOut(error) : error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

function unheard(): Error {
  return Object.assign(new Error('the call was told to end and did not'), { name: 'AbortError' });
}
