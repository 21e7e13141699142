import { inspect } from 'node:util';

const MAX_FRAMES = 10;
const FRAME = /^\s+at /;
/** The file that calls the handler. */
const RUNTIME = /[\\/]local-runtime\.[a-z]+:/;
/** Frames in packages, in Node itself and without a file: the user wrote none of them. */
const FOREIGN = /[\\/]node_modules[\\/]|\(?node:|\(?<anonymous>|\(native\)/;

/**
 * What was thrown, for a developer: its message, and ten frames at most, the user's own first. The causes of an error
 * follow, and share the ten.
 */
export function readableStack(thrown: unknown): string {
  const lines: string[] = [];
  let room = MAX_FRAMES;
  const seen = new Set<unknown>();
  for (let error = thrown; ; ) {
    const { message, frames } = parts(error);
    lines.push(`${seen.size === 0 ? '' : 'caused by: '}${message}`, ...frames.slice(0, room));
    room -= Math.min(room, frames.length);
    seen.add(error);
    const cause: unknown = error instanceof Error ? error.cause : undefined;
    if (cause === undefined || seen.has(cause)) return lines.join('\n');
    error = cause;
  }
}

function parts(error: unknown): { readonly message: string; readonly frames: readonly string[] } {
  if (!(error instanceof Error)) return { message: inspect(error), frames: [] };
  const stack = typeof error.stack === 'string' && error.stack !== '' ? error.stack : String(error);
  const lines = stack.split('\n');
  const firstFrame = lines.findIndex((line) => FRAME.test(line));
  if (firstFrame === -1) return { message: stack, frames: [] };
  const frames = lines.slice(firstFrame).filter((line) => FRAME.test(line) && !RUNTIME.test(line));
  const own = frames.filter((frame) => !FOREIGN.test(frame));
  return { message: lines.slice(0, firstFrame).join('\n'), frames: [...own, ...frames.filter((frame) => FOREIGN.test(frame))] };
}
