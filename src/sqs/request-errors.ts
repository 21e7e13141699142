import { QueueNotFoundError, SqsRequestError } from '../errors.ts';
import { namedError } from '../named-error.ts';

/**
 * Codes of transient refusals: throttling in its several spellings, KMS throttling behind an encrypted queue, clock
 * skew and expired credentials (both are renewed by the client), and a queue being created again within a minute of its
 * deletion.
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
 */
const TRANSIENT_CODES = new RegExp(
  '^(Throttl(ing|ed)|RequestThrottled|TooManyRequests|RequestTimeout|ExpiredToken|KMS.Throttling)(Exception)?$|' +
    '^(RequestLimitExceeded|SlowDown|OverLimit|KmsThrottled|ServiceUnavailable|QueueDeletedRecently)$|' +
    '^Request(Expired|TimeTooSkewed)$|^Internal(Server)?(Error|Failure)$',
);

const WRONG_SIGNATURE = 'the queue is in another region than the client, or the secret key is wrong';
const UNKNOWN_KEY = 'AWS does not know the access key';
/** What to look at where AWS refuses whoever asks. */
const HINTS: ReadonlyMap<string, string> = new Map([
  ['SignatureDoesNotMatch', WRONG_SIGNATURE],
  ['InvalidSignatureException', WRONG_SIGNATURE],
  ['InvalidClientTokenId', UNKNOWN_KEY],
  ['UnrecognizedClientException', `${UNKNOWN_KEY}, or its session token is wrong`],
]);

const MISSING_QUEUE = /^(QueueDoesNotExist|NonExistentQueue)$/;

/**
 * Header of an answer that has SQS's error code as the older query protocol spells it, e.g.
 * `AWS.SimpleQueueService.NonExistentQueue;Sender`.
 */
export const QUERY_ERROR = 'x-amzn-query-error';

/**
 * SQS's own refusal of a request. AWS's text is left out, here and of every `cause`: that of a wrong signature quotes
 * the request, session token included.
 */
export class SqsRefusal extends Error {
  override readonly name = 'SqsRefusal';
  readonly sqsCode: string;
  readonly status: number;

  constructor(code: string, status: number, requestId: unknown) {
    const sqsCode = shortCode(code);
    super(`${sqsCode}, HTTP status ${status}${typeof requestId === 'string' ? `, request id ${requestId}` : ''}`);
    this.sqsCode = sqsCode;
    this.status = status;
  }
}

/**
 * An answer that is not SQS's: of a proxy or gateway on the way, cut off, or of another service, where credentials come
 * from. It says nothing of the request, which is worth another try. Its text is left out: it may quote the request.
 */
export function unknownAnswer(code: string, status: number): Error {
  return namedError(code, `HTTP status ${status}, not from SQS: from a proxy, or where credentials come from`);
}

/** SQS names its errors with or without a service prefix, by protocol and emulator. */
export function shortCode(code: string): string {
  return code.replace(/^AWS\.SimpleQueueService\./, '').replace(/^.*#/, '');
}

/**
 * Whether a failed entry of a batch is worth another try, by its {@link shortCode}. `senderFault` false means that SQS
 * itself failed.
 */
export function isTransientEntry(sqsCode: string, senderFault: boolean): boolean {
  return !senderFault || TRANSIENT_CODES.test(sqsCode);
}

/**
 * Whether the same request may succeed later. Only SQS itself, or what is found before anything is sent, can say that
 * it never will.
 */
export function isTransient(error: unknown): boolean {
  if (error instanceof SqsRequestError) return error.transient;
  if (error instanceof SqsRefusal) return error.status >= 500 || error.status === 429 || TRANSIENT_CODES.test(error.sqsCode);
  // Missing credentials are transient: the service that hands them out to a container or instance has its bad seconds
  // too.
  return !(error instanceof Error && (error.name === 'TypeError' || error.message === 'Region is missing'));
}

/**
 * Whether SQS says that the queue is not there. A look-up that is refused says no more: IAM does not tell whether a
 * queue exists that no policy of the caller covers.
 */
export function isMissingQueue(error: unknown, operation?: string): boolean {
  if (!(error instanceof SqsRefusal)) return false;
  return MISSING_QUEUE.test(error.sqsCode) || (operation === 'GetQueueUrl' && error.sqsCode.startsWith('AccessDenied'));
}

/** What a call rejects with, as an error of ours. */
export function requestError(operation: string, error: unknown): SqsRequestError {
  if (error instanceof SqsRequestError) return error;
  const code = codeOf(error);
  // What never reached SQS has a text about hosts, sockets and configuration: it says what to change, and it has seen
  // no body.
  const detail = error instanceof SqsRefusal ? HINTS.get(code) : error instanceof Error ? error.message : undefined;
  return new SqsRequestError(operation, code, isTransient(error), { cause: error, detail });
}

/** As {@link requestError}; where the queue is missing, an error that says so. */
export async function callError(
  operation: string,
  queue: string,
  error: unknown,
  region: () => Promise<string>,
): Promise<SqsRequestError | QueueNotFoundError> {
  return isMissingQueue(error, operation)
    ? new QueueNotFoundError(queue, await region(), { cause: error })
    : requestError(operation, error);
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  if (error instanceof SqsRefusal) return error.sqsCode;
  return error.name === 'Error' && 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
