import { vi } from 'vitest';

/** Lets the moment pass that a poller gives the receives in flight before it cuts them. Under vitest's fake timers. */
export async function ended<T>(closing: Promise<T>): Promise<T> {
  await vi.advanceTimersByTimeAsync(500);
  return closing;
}
