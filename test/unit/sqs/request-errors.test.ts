import { describe, expect, it } from 'vitest';
import { SqsRequestError } from '../../../src/errors.ts';
import { entryPasses, isMissingQueue, requestError, shortCode } from '../../../src/sqs/request-errors.ts';

/** An error as the SDK throws it. */
function sdkError(name: string, status?: number, extra: Record<string, unknown> = {}): Error {
  return Object.assign(
    new Error(`${name} and a message`),
    { name, $metadata: status === undefined ? {} : { httpStatusCode: status } },
    extra,
  );
}

describe('requestError', () => {
  it.each<[string, Error, string, boolean]>([
    ['throttling', sdkError('RequestThrottled', 403), 'RequestThrottled', true],
    ['throttling, as the query protocol says it', sdkError('AWS.SimpleQueueService.RequestThrottled', 400), 'RequestThrottled', true],
    ['throttling, as the SDK says it', sdkError('ThrottlingException', 400), 'ThrottlingException', true],
    ['too many requests, under a name nobody knows', sdkError('Whatever', 429), 'Whatever', true],
    ['too much in flight', sdkError('OverLimit', 403), 'OverLimit', true],
    ['KMS throttling', sdkError('KmsThrottled', 400), 'KmsThrottled', true],
    ['KMS throttling, older', sdkError('KMS.ThrottlingException', 400), 'KMS.ThrottlingException', true],
    ['an internal error', sdkError('InternalError', 500), 'InternalError', true],
    ['a gateway in between', sdkError('SyntaxError', 502), 'SyntaxError', true],
    ['an overloaded service', sdkError('ServiceUnavailable', 503), 'ServiceUnavailable', true],
    ['expired credentials', sdkError('ExpiredTokenException', 403), 'ExpiredTokenException', true],
    ['clock skew', sdkError('RequestTimeTooSkewed', 403), 'RequestTimeTooSkewed', true],
    ['a queue that is being deleted', sdkError('AWS.SimpleQueueService.QueueDeletedRecently', 400), 'QueueDeletedRecently', true],
    ['a refused connection', sdkError('Error', undefined, { code: 'ECONNREFUSED' }), 'ECONNREFUSED', true],
    ['a reset connection', Object.assign(new Error('read'), { code: 'ECONNRESET' }), 'ECONNRESET', true],
    ['a name that does not resolve', sdkError('Error', undefined, { code: 'ENOTFOUND' }), 'ENOTFOUND', true],
    ['a time-out', sdkError('TimeoutError', undefined, { code: 'ECONNABORTED' }), 'TimeoutError', true],
    ['an aborted request', sdkError('AbortError'), 'AbortError', true],
    ['denied access', sdkError('AccessDenied', 403), 'AccessDenied', false],
    ['denied access, as IAM says it', sdkError('AccessDeniedException', 400), 'AccessDeniedException', false],
    ['an unknown key', sdkError('InvalidClientTokenId', 403), 'InvalidClientTokenId', false],
    ['a wrong signature', sdkError('SignatureDoesNotMatch', 403), 'SignatureDoesNotMatch', false],
    ['a bad message', sdkError('InvalidMessageContents', 400), 'InvalidMessageContents', false],
    ['a batch too long', sdkError('AWS.SimpleQueueService.BatchRequestTooLong', 400), 'BatchRequestTooLong', false],
    ['a refusal nobody knows', sdkError('Whatever', 400), 'Whatever', false],
    ['no credentials', Object.assign(new Error('x'), { name: 'CredentialsProviderError' }), 'CredentialsProviderError', true],
    ['no region', new Error('Region is missing'), 'Error', false],
    ['a bug', new TypeError('x is not a function'), 'TypeError', false],
  ])('%s', (_what, cause, sqsCode, transient) => {
    const error = requestError('SendMessageBatch', cause);
    expect(error).toBeInstanceOf(SqsRequestError);
    expect({ sqsCode: error.sqsCode, transient: error.transient }).toEqual({ sqsCode, transient });
    // What was never answered says why, in the words of whoever could not send it.
    const answered = '$metadata' in cause && JSON.stringify(cause.$metadata).includes('httpStatusCode');
    if (!answered) expect(error.message).toBe(`SQS SendMessageBatch failed: ${sqsCode} (${cause.message})`);
    else expect(error.message).not.toContain(cause.message);
    expect(error.cause).toBe(cause);
  });

  it.each([
    ['AccessDenied', 'AccessDenied'],
    ['SignatureDoesNotMatch', 'SignatureDoesNotMatch (the queue is in another region than the client, or the secret key is wrong)'],
    ['InvalidSignatureException', 'InvalidSignatureException (the queue is in another region than the client, or the secret key is wrong)'],
    ['InvalidClientTokenId', 'InvalidClientTokenId (AWS does not know the access key)'],
    ['UnrecognizedClientException', 'UnrecognizedClientException (AWS does not know the access key, or its session token is wrong)'],
  ])('%s says what to look at, not what AWS quotes of the request', (name, text) => {
    expect(requestError('ReceiveMessage', sdkError(name, 403)).message).toBe(`SQS ReceiveMessage failed: ${text}`);
  });

  it('leaves an error of ours alone', () => {
    const ours = new SqsRequestError('SendMessageBatch', 'OverLimit', true);
    expect(requestError('ReceiveMessage', ours)).toBe(ours);
  });

  it.each(['text', undefined, null, 7, { $metadata: null }, { $metadata: { httpStatusCode: '500' } }])(
    'takes %j, which is no error',
    (thrown) => {
      const error = requestError('SendMessageBatch', thrown);
      expect(error.sqsCode).toBe(typeof thrown);
      expect(error.cause).toBe(thrown);
    },
  );

  it('reads a status off an object that is no Error', () => {
    expect(requestError('SendMessageBatch', { $metadata: { httpStatusCode: 403 } }).transient).toBe(false);
    expect(requestError('SendMessageBatch', { $metadata: { httpStatusCode: 500 } }).transient).toBe(true);
  });
});

describe('isMissingQueue', () => {
  it.each(['QueueDoesNotExist', 'NonExistentQueue'])('knows %s with and without prefix', (name) => {
    for (const prefix of ['', 'AWS.SimpleQueueService.', 'com.amazonaws.sqs#'])
      expect(isMissingQueue(sdkError(prefix + name, 400))).toBe(true);
  });

  it('knows nothing else', () => {
    expect(isMissingQueue(sdkError('AccessDenied', 403))).toBe(false);
    expect(isMissingQueue(sdkError('QueueDeletedRecently', 400))).toBe(false);
    expect(isMissingQueue({ name: 'QueueDoesNotExist' })).toBe(false);
    expect(isMissingQueue(undefined)).toBe(false);
  });
});

describe('entryPasses', () => {
  it.each([
    ['InternalError', true, true],
    ['AWS.SimpleQueueService.RequestThrottled', true, true],
    ['Whatever', false, true],
    ['InvalidMessageContents', true, false],
    ['ReceiptHandleIsInvalid', true, false],
  ])('%s, sender at fault: %s → %s', (code, senderFault, passes) => {
    expect(entryPasses(code, senderFault)).toBe(passes);
  });
});

describe('shortCode', () => {
  it('takes off a prefix of SQS and nothing else', () => {
    expect(shortCode('AWS.SimpleQueueService.NonExistentQueue')).toBe('NonExistentQueue');
    expect(shortCode('com.amazonaws.sqs#QueueDoesNotExist')).toBe('QueueDoesNotExist');
    expect(shortCode('KMS.ThrottlingException')).toBe('KMS.ThrottlingException');
    expect(shortCode('x.AWS.SimpleQueueService.y')).toBe('x.AWS.SimpleQueueService.y');
  });
});
