import { attempt } from '../attempt.ts';
import { systemTiming, type Timing } from '../time.ts';
import { isRecord } from '../wire/shape.ts';
import type { SqsEndpoint } from './endpoint.ts';
import { type Connections, type HttpAnswer, type HttpLimits, hasFault } from './http-connections.ts';
import { isTransient, QUERY_ERROR, SqsRefusal, unknownAnswer } from './request-errors.ts';
import { REQUEST_RETRIES, retry } from './retry.ts';
import { type Credentials, signedRequest } from './signature.ts';
import type { Answer, Operation, OperationInputs, SqsOperations } from './sqs-operations.ts';

export interface SignedOptions {
  /** Asked for each request: they may be renewed meanwhile. */
  readonly credentials: () => Credentials | Promise<Credentials>;
  /** Where requests go; asked once per queue URL. */
  readonly endpoint: (queueUrl: string | undefined) => SqsEndpoint | Promise<SqsEndpoint>;
  readonly region: () => Promise<string>;
  /** What is done with answers, by operation: checksums are compared. */
  readonly checks: { readonly [Name in Operation]?: (input: OperationInputs[Name], answer: Answer) => Answer };
  /**
   * Until the answer to the first try of a call is there; each try after one that got none has twice the time.
   * @default no limit
   */
  readonly answerMs?: number;
  readonly env?: NodeJS.ProcessEnv;
  readonly connections: Connections;
  readonly timing?: Timing | undefined;
}

/** SQS accepts five minutes of difference; a clock further off than this is corrected. */
const SKEW_MS = 4 * 60_000;
/** The last moment that a signature can name. */
const LATEST_MS = Date.parse('9999-12-31T00:00:00Z');
const SIGNATURE_CODES = /^(AuthFailure|InvalidSignatureException|Request(Expired|InTheFuture|TimeTooSkewed)|SignatureDoesNotMatch)$/;
/**
 * Idle connections can fail one after another, and a clock is corrected once: after so many tries at once the fault is
 * another.
 */
const MOST_AT_ONCE = 6;

/**
 * {@link SqsOperations} by signed requests in the JSON protocol of SQS, without the AWS SDK: it is most of a worker's
 * cold start, and a call through it takes four times the processor time of one through here.
 *
 * A request that SQS may have accepted before its connection broke is sent again; readers of the queue see such a
 * message twice.
 */
export function signedOperations(options: SignedOptions): SqsOperations {
  const { region, checks, connections, env = process.env, timing = systemTiming } = options;
  const endpoints = new Map<string | undefined, SqsEndpoint>();
  /** What SQS's clock is ahead of ours. */
  let skewMs = 0;

  const endpointFor = async (queueUrl: string | undefined): Promise<SqsEndpoint> => {
    const endpoint = await options.endpoint(queueUrl);
    // Worded as the SDK has it, so that it is read in the same place.
    if (endpoint.region === '') throw new Error('Region is missing');
    endpoints.set(queueUrl, endpoint);
    return endpoint;
  };

  const correctClock = ({ headers }: HttpAnswer, at: number): void => {
    const serverTime = Date.parse(headers.date ?? '');
    if (Math.abs(serverTime - at) > SKEW_MS && serverTime < LATEST_MS) skewMs = serverTime - Date.now();
  };

  const post = async (operation: Operation, queueUrl: string | undefined, body: string, limits: HttpLimits): Promise<Answer> => {
    const credentials = await options.credentials();
    const endpoint = endpoints.get(queueUrl) ?? (await endpointFor(queueUrl));
    const at = Date.now() + skewMs;
    const request = signedRequest({ operation, body, endpoint, credentials, at: new Date(at), traceId: invocationTraceId(env) });
    const answer = await connections.post(request, limits);
    const parsed: unknown = attempt(() => JSON.parse(answer.body));
    const fields = isRecord(parsed) ? parsed : undefined;
    if (answer.status < 300) {
      if (fields === undefined) throw unknownAnswer('UnreadableAnswer', answer.status);
      return fields;
    }
    const failure = failureOf(answer, fields);
    if (failure instanceof SqsRefusal) correctClock(answer, at);
    throw failure;
  };

  return {
    region,
    async call(operation, input, signal) {
      const queueUrl = 'QueueUrl' in input ? input.QueueUrl : undefined;
      const body = requestBody(input);
      let { answerMs } = options;
      let atOnce = 0;
      let skewBefore = skewMs;
      const isMended = (error: unknown) => {
        const clockCorrected = error instanceof SqsRefusal && SIGNATURE_CODES.test(error.sqsCode) && skewBefore !== skewMs;
        skewBefore = skewMs;
        if (answerMs !== undefined && hasFault(error, 'no answer')) answerMs *= 2;
        else if (!clockCorrected && !hasFault(error, 'idle connection')) return false;
        atOnce += 1;
        return atOnce <= MOST_AT_ONCE;
      };
      const retries = { ...REQUEST_RETRIES, timing, isTransient, isMended, signal };
      const answer = await retry(() => post(operation, queueUrl, body, { answerMs, signal }), retries);
      return checks[operation]?.(input, answer) ?? answer;
    },
  };
}

/** An input as SQS has it on the wire. */
function requestBody(input: object): string {
  if ('Entries' in input && Array.isArray(input.Entries)) {
    for (const { MessageAttributes } of input.Entries) {
      // Only attributes hold bytes, and JSON takes twice as long where it has to ask for each value.
      if (MessageAttributes !== undefined) return JSON.stringify(input, binaryAsBase64);
    }
  }
  return JSON.stringify(input);
}

function binaryAsBase64(key: string, value: unknown): unknown {
  return key === 'BinaryValue' && value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
}

/** SQS's own refusal has its code in the answer, or in a header as the older protocol spells it. */
function failureOf({ status, headers }: HttpAnswer, fields: Answer = {}): Error {
  const queryError = headers[QUERY_ERROR];
  const code = fields['__type'] ?? (typeof queryError === 'string' ? queryError.split(';')[0] : undefined);
  if (typeof code !== 'string' || code === '') return unknownAnswer(`Http${status}`, status);
  return new SqsRefusal(code, status, headers['x-amzn-requestid']);
}

/**
 * The trace id of the invocation. SQS hands it to the next function of a chain, which is how Lambda notices a loop.
 *
 * An environment variable holds it where a process has one invocation at a time. Where it has many at once (Managed
 * Instances), the runtime keeps one per asynchronous context; a request that carries messages of several invocations
 * gets the id of one of them.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
 */
export function invocationTraceId(env: NodeJS.ProcessEnv, runtime: unknown = Reflect.get(globalThis, 'awslambda')): string | undefined {
  const ofProcess = env['_X_AMZN_TRACE_ID'] || undefined;
  const store: unknown = isRecord(runtime) ? runtime['InvokeStore'] : undefined;
  if (typeof store !== 'object' || store === null || !('getXRayTraceId' in store) || typeof store.getXRayTraceId !== 'function')
    return ofProcess;
  const traceId: unknown = store.getXRayTraceId();
  return typeof traceId === 'string' && traceId !== '' ? traceId : ofProcess;
}
