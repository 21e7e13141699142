import { isRecord } from '../wire/shape.ts';

/** An answer of SQS with an error status, shaped as the SDK's errors are, so that both are read in one place. */
export interface AnsweredError extends Error {
  readonly $metadata: { readonly httpStatusCode: number };
}

/** @param queryError the header that carries the code in the older protocol's spelling */
export function answeredError(status: number, body: string, queryError?: string | undefined): AnsweredError {
  const answer = parsedObject(body) ?? {};
  const type = answer['__type'] ?? queryError?.split(';')[0];
  const message = answer['message'] ?? answer['Message'];
  const error = new Error(typeof message === 'string' ? message : `HTTP status ${status}`);
  // A proxy on the way answers in a language of its own.
  error.name = typeof type === 'string' && type !== '' ? (type.split('#').at(-1) ?? type) : `Http${status}`;
  return Object.assign(error, { $metadata: { httpStatusCode: status } });
}

/** Undefined where it is not a JSON object. */
export function parsedObject(body: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
