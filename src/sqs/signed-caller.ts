import { SqsRequestError } from '../errors.ts';
import type { HttpAnswer, Post } from './http-connections.ts';
import { answeredError, parsedObject } from './signed-answer.ts';
import type { SqsEndpoint } from './signed-endpoint.ts';
import { invocationTraceId } from './signed-environment.ts';
import { type Credentials, signedRequest } from './signed-request.ts';

export interface SignedCallerOptions {
  /** Asked for each request: they may be renewed meanwhile. */
  readonly credentials: () => Credentials | Promise<Credentials>;
  readonly endpoint: (queueUrl: string | undefined) => SqsEndpoint | Promise<SqsEndpoint>;
  /** The network; a parameter so that tests need none. */
  readonly post: Post;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * One call of SQS: its answer's fields. Rejects with an error shaped as the SDK's, with Node's own where there was no answer, or with
 * `SqsRequestError` where it cannot be read.
 */
export type SignedCall = (operation: string, queueUrl: string | undefined, body: string, signal?: AbortSignal) => Promise<Fields>;

export type Fields = Readonly<Record<string, unknown>>;

/** SQS accepts five minutes of difference; a clock further off than this is corrected. */
const SKEW_MS = 4 * 60_000;
const SIGNATURE_CODES: ReadonlySet<string> = new Set([
  'AuthFailure',
  'InvalidSignatureException',
  'RequestExpired',
  'RequestInTheFuture',
  'RequestTimeTooSkewed',
  'SignatureDoesNotMatch',
]);

/** Signs and sends, and learns SQS's clock from what SQS says of ours. */
export function signedCaller({ credentials, endpoint, post, env }: SignedCallerOptions): SignedCall {
  /** What SQS's clock is ahead of ours. */
  let skewMs = 0;

  async function once(operation: string, queueUrl: string | undefined, body: string, signal?: AbortSignal): Promise<HttpAnswer> {
    const signer = { credentials: await credentials(), endpoint: await endpoint(queueUrl) };
    // Worded as the SDK has it, so that it is read in the same place.
    if (signer.endpoint.region === '') throw new Error('Region is missing');
    const at = Date.now() + skewMs;
    const answer = await post(signedRequest({ operation, body, ...signer, at: new Date(at), traceId: invocationTraceId(env) }), signal);
    if (answer.status < 400) return answer;
    const serverTime = Date.parse(answer.headers.date ?? '');
    if (Math.abs(serverTime - at) > SKEW_MS) skewMs = serverTime - Date.now();
    return answer;
  }

  return async (operation, queueUrl, body, signal) => {
    // Signs with the corrected clock where SQS refused a signature for its time.
    for (let corrected = false; ; corrected = true) {
      const skewBefore = skewMs;
      const answer = await once(operation, queueUrl, body, signal);
      if (answer.status < 300) {
        const fields = parsedObject(answer.body);
        if (fields === undefined) throw new SqsRequestError(operation, 'UnreadableAnswer', true);
        return fields;
      }
      const error = answeredError(answer.status, answer.body, header(answer, 'x-amzn-query-error'));
      if (corrected || skewMs === skewBefore || !SIGNATURE_CODES.has(error.name)) throw error;
    }
  };
}

/** An input as SQS has it on the wire. */
export function requestBody(input: object): string {
  // Only attributes hold bytes, and JSON takes twice as long where it has to ask for each value.
  return JSON.stringify(input, holdsAttributes(input) ? binaryAsBase64 : undefined);
}

function holdsAttributes(input: object): boolean {
  return (
    'Entries' in input && Array.isArray(input.Entries) && input.Entries.some(({ MessageAttributes }) => MessageAttributes !== undefined)
  );
}

function binaryAsBase64(key: string, value: unknown): unknown {
  return key === 'BinaryValue' && value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
}

function header({ headers }: HttpAnswer, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}
