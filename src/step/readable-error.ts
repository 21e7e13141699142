import { FatalError } from '@dudousxd/nestjs-durable-core';
import { attempt } from '../attempt.ts';

/** An error of plain fields: reading one of them never throws and never gives a surprise. */
export interface ReadableError extends Error {
  code?: string;
  retryable?: boolean;
}

/**
 * What was thrown, as an error that can be read. Anything can be thrown: a string, null, an error whose `message` is an
 * object, one whose getters throw, a revoked Proxy. The engine's step runner, which reads the message and the code,
 * would itself throw on some.
 *
 * A `FatalError` comes out as not retryable: the engine documents it so, but does not look for it in results.
 */
export function readableError(thrown: unknown): ReadableError {
  const error: ReadableError = new Error(messageOf(thrown), { cause: thrown });
  error.name = nameOf(thrown);
  const code = fieldOf(thrown, 'code');
  const retryable = isFatal(thrown) ? false : fieldOf(thrown, 'retryable');
  if (typeof code === 'string') error.code = code;
  if (typeof retryable === 'boolean') error.retryable = retryable;
  return error;
}

function messageOf(thrown: unknown): string {
  const message = fieldOf(thrown, 'message');
  if (typeof message === 'string') return message;
  return attempt(() => String(message ?? thrown)) ?? 'the step threw something that has no text';
}

function nameOf(thrown: unknown): string {
  const name = fieldOf(thrown, 'name');
  if (typeof name === 'string' && name !== '') return name;
  return thrown === null ? 'null' : typeof thrown;
}

function isFatal(thrown: unknown): boolean {
  // By name too: a bundle may hold a second copy of the core package.
  return attempt(() => thrown instanceof FatalError || nameOf(thrown) === 'FatalError') === true;
}

function fieldOf(thrown: unknown, field: string): unknown {
  if ((typeof thrown !== 'object' && typeof thrown !== 'function') || thrown === null) return undefined;
  return attempt(() => Reflect.get(thrown, field));
}
