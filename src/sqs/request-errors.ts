import { SqsRequestError } from '../errors.ts';

/**
 * Codes of transient refusals: throttling in its several spellings, KMS throttling behind an encrypted queue, clock skew and
 * expired credentials (both are renewed by the client), and a queue being created again within a minute of its deletion.
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
 */
const TRANSIENT_CODES: ReadonlySet<string> = new Set([
  'Throttling',
  'ThrottlingException',
  'ThrottledException',
  'RequestThrottled',
  'RequestThrottledException',
  'RequestLimitExceeded',
  'TooManyRequestsException',
  'SlowDown',
  'OverLimit',
  'KmsThrottled',
  'KMS.ThrottlingException',
  'InternalError',
  'InternalFailure',
  'InternalServerError',
  'ServiceUnavailable',
  'RequestTimeout',
  'RequestTimeoutException',
  'RequestExpired',
  'RequestTimeTooSkewed',
  'ExpiredToken',
  'ExpiredTokenException',
  'QueueDeletedRecently',
]);

/**
 * What to look at where AWS refuses whoever asks. Its own text is not used: that of a wrong signature quotes the request, session token
 * included.
 */
const HINTS: ReadonlyMap<string, string> = new Map([
  ['SignatureDoesNotMatch', 'the queue is in another region than the client, or the secret key is wrong'],
  ['InvalidSignatureException', 'the queue is in another region than the client, or the secret key is wrong'],
  ['InvalidClientTokenId', 'AWS does not know the access key'],
  ['UnrecognizedClientException', 'AWS does not know the access key, or its session token is wrong'],
]);

const MISSING_QUEUE_CODES: ReadonlySet<string> = new Set(['QueueDoesNotExist', 'NonExistentQueue']);

/** SQS names its errors with or without a service prefix, by protocol and emulator. */
export function shortCode(code: string): string {
  return code.replace(/^AWS\.SimpleQueueService\./, '').replace(/^com\.amazonaws\.sqs#/, '');
}

/** Whether a failed entry of a batch is worth another try. `senderFault` false means that SQS itself failed. */
export function entryPasses(code: string, senderFault: boolean): boolean {
  return !senderFault || TRANSIENT_CODES.has(shortCode(code));
}

/**
 * Whether an error of the SDK says that the queue is not there. A look-up that is refused says no more: IAM does not tell whether a queue
 * exists that no policy of the caller covers.
 */
export function isMissingQueue(error: unknown, operation?: string): boolean {
  if (!(error instanceof Error)) return false;
  const code = shortCode(error.name);
  return MISSING_QUEUE_CODES.has(code) || (operation === 'GetQueueUrl' && code.startsWith('AccessDenied'));
}

/** An error of the SDK as ours. What has no HTTP status never got an answer: a network fault, which passes. */
export function requestError(operation: string, error: unknown): SqsRequestError {
  if (error instanceof SqsRequestError) return error;
  const name = error instanceof Error ? error.name : typeof error;
  const status = httpStatus(error);
  const networkCode = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const code = shortCode(name === 'Error' && networkCode !== undefined ? networkCode : name);
  const answered = status !== undefined;
  // Found before anything is sent, and the same the next time. Missing credentials are not among them: the service that hands
  // them out to a container or instance has its bad seconds too.
  const ours = name === 'TypeError' || (error instanceof Error && error.message === 'Region is missing');
  const transient = TRANSIENT_CODES.has(code) || (answered ? status >= 500 || status === 429 : !ours);
  // What never reached SQS has a text about hosts, sockets and configuration: it says what to mend, and it has seen no body.
  const detail = !answered && error instanceof Error ? error.message : HINTS.get(code);
  return new SqsRequestError(operation, code, transient, { cause: error, detail });
}

function httpStatus(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return undefined;
  const metadata = error.$metadata;
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return undefined;
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined;
}
