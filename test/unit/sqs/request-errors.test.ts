import { SQSServiceException } from '@aws-sdk/client-sqs';
import { describe, expect, it } from 'vitest';
import { SqsRequestError } from '../../../src/errors.ts';
import { isMissingQueue, isTransientEntry, requestError, SqsRefusal, shortCode, unknownAnswer } from '../../../src/sqs/request-errors.ts';
import { sdkFailure } from '../../../src/sqs/sdk-operations.ts';

const refusal = (code: string, status = 400) => new SqsRefusal(code, status, undefined);
const network = (code: string) => Object.assign(new Error(`connect ${code}`), { code });
const named = (name: string, extra: object = {}) => Object.assign(new Error(`${name} and a message`), { name, ...extra });

describe('requestError', () => {
  it.each<[string, Error, string, boolean]>([
    ['throttling', refusal('RequestThrottled', 403), 'RequestThrottled', true],
    ['throttling, as the query protocol says it', refusal('AWS.SimpleQueueService.RequestThrottled'), 'RequestThrottled', true],
    ['throttling, as the JSON protocol says it', refusal('ThrottlingException'), 'ThrottlingException', true],
    ['too many requests, under a name nobody knows', refusal('Whatever', 429), 'Whatever', true],
    ['too much in flight', refusal('OverLimit', 403), 'OverLimit', true],
    ['KMS throttling', refusal('KmsThrottled'), 'KmsThrottled', true],
    ['KMS throttling, older', refusal('KMS.ThrottlingException'), 'KMS.ThrottlingException', true],
    ['an internal error', refusal('InternalError', 500), 'InternalError', true],
    ['an internal error with a status of the caller', refusal('InternalFailure'), 'InternalFailure', true],
    ['an overloaded service', refusal('ServiceUnavailable', 503), 'ServiceUnavailable', true],
    ['expired credentials', refusal('ExpiredTokenException', 403), 'ExpiredTokenException', true],
    ['clock skew', refusal('RequestTimeTooSkewed', 403), 'RequestTimeTooSkewed', true],
    ['an expired request', refusal('RequestExpired', 403), 'RequestExpired', true],
    ['a queue that is being deleted', refusal('AWS.SimpleQueueService.QueueDeletedRecently'), 'QueueDeletedRecently', true],
    ['a refused connection', network('ECONNREFUSED'), 'ECONNREFUSED', true],
    ['a reset connection', network('ECONNRESET'), 'ECONNRESET', true],
    ['a name that does not resolve', network('ENOTFOUND'), 'ENOTFOUND', true],
    ['a time-out', named('TimeoutError', { code: 'ECONNABORTED' }), 'TimeoutError', true],
    ['an aborted request', named('AbortError'), 'AbortError', true],
    ['a proxy', unknownAnswer('Http407', 407), 'Http407', true],
    ['denied access', refusal('AccessDenied', 403), 'AccessDenied', false],
    ['denied access, as IAM says it', refusal('AccessDeniedException'), 'AccessDeniedException', false],
    ['an unknown key', refusal('InvalidClientTokenId', 403), 'InvalidClientTokenId', false],
    ['a wrong signature', refusal('SignatureDoesNotMatch', 403), 'SignatureDoesNotMatch', false],
    ['a bad message', refusal('InvalidMessageContents'), 'InvalidMessageContents', false],
    ['a batch too long', refusal('AWS.SimpleQueueService.BatchRequestTooLong'), 'BatchRequestTooLong', false],
    ['a refusal nobody knows', refusal('Whatever'), 'Whatever', false],
    ['a name that only holds a known one', refusal('NotThrottling'), 'NotThrottling', false],
    ['no credentials', named('CredentialsProviderError'), 'CredentialsProviderError', true],
    ['no region', new Error('Region is missing'), 'Error', false],
    ['a bug', new TypeError('x is not a function'), 'TypeError', false],
  ])('%s has its code, and may be transient', (_what, cause, sqsCode, transient) => {
    const error = requestError('SendMessageBatch', cause);
    expect(error).toBeInstanceOf(SqsRequestError);
    expect({ sqsCode: error.sqsCode, transient: error.transient }).toEqual({ sqsCode, transient });
    // What SQS did not answer says why, in the words of whoever could not send it.
    if (!(cause instanceof SqsRefusal)) expect(error.message).toBe(`SQS SendMessageBatch failed: ${sqsCode} (${cause.message})`);
    expect(error.cause).toBe(cause);
  });

  it.each([
    ['AccessDenied', 'AccessDenied'],
    ['SignatureDoesNotMatch', 'SignatureDoesNotMatch (the queue is in another region than the client, or the secret key is wrong)'],
    ['InvalidSignatureException', 'InvalidSignatureException (the queue is in another region than the client, or the secret key is wrong)'],
    ['InvalidClientTokenId', 'InvalidClientTokenId (AWS does not know the access key)'],
    ['UnrecognizedClientException', 'UnrecognizedClientException (AWS does not know the access key, or its session token is wrong)'],
  ])('%s says what to look at', (code, text) => {
    expect(requestError('ReceiveMessage', refusal(code, 403)).message).toBe(`SQS ReceiveMessage failed: ${text}`);
  });

  it('leaves an error of ours alone', () => {
    const ours = new SqsRequestError('SendMessageBatch', 'OverLimit', true);
    expect(requestError('ReceiveMessage', ours)).toBe(ours);
  });

  it.each(['text', undefined, null, 7])('takes %j, which is no error', (thrown) => {
    const error = requestError('SendMessageBatch', thrown);
    expect(error.sqsCode).toBe(typeof thrown);
    expect(error.cause).toBe(thrown);
  });
});

describe('isMissingQueue', () => {
  it.each(['QueueDoesNotExist', 'NonExistentQueue'])('knows %s with and without prefix', (name) => {
    for (const prefix of ['', 'AWS.SimpleQueueService.', 'com.amazonaws.sqs#']) expect(isMissingQueue(refusal(prefix + name))).toBe(true);
  });

  it('knows nothing else', () => {
    expect(isMissingQueue(refusal('AccessDenied', 403))).toBe(false);
    expect(isMissingQueue(refusal('QueueDeletedRecently'))).toBe(false);
    expect(isMissingQueue(named('QueueDoesNotExist'))).toBe(false);
    expect(isMissingQueue(undefined)).toBe(false);
  });
});

describe('isTransientEntry', () => {
  it.each([
    ['InternalError', true, true],
    ['RequestThrottled', true, true],
    ['Whatever', false, true],
    ['InvalidMessageContents', true, false],
    ['ReceiptHandleIsInvalid', true, false],
  ])('%s, sender at fault: %s → %s', (code, senderFault, transient) => {
    expect(isTransientEntry(code, senderFault)).toBe(transient);
  });
});

describe('shortCode', () => {
  it('takes off a prefix of SQS and nothing else', () => {
    expect(shortCode('AWS.SimpleQueueService.NonExistentQueue')).toBe('NonExistentQueue');
    expect(shortCode('com.amazonaws.sqs#QueueDoesNotExist')).toBe('QueueDoesNotExist');
    expect(shortCode('com.amazon.coral.service#AccessDeniedException')).toBe('AccessDeniedException');
    expect(shortCode('KMS.ThrottlingException')).toBe('KMS.ThrottlingException');
    expect(shortCode('x.AWS.SimpleQueueService.y')).toBe('x.AWS.SimpleQueueService.y');
  });
});

describe('sdkFailure', () => {
  const exceptionOf = (name: string, more: object = {}) =>
    Object.assign(new SQSServiceException({ name, $fault: 'client', message: 'secret text', $metadata: { httpStatusCode: 400 } }), more);
  const answered = (headers: object) => ({ $response: { headers } });

  it("gives SQS's refusal if its answer has a code", () => {
    const byBody = exceptionOf('AccessDenied', { __type: 'x#AccessDenied', ...answered({}) });
    const byHeader = exceptionOf('AccessDenied', answered({ 'x-amzn-query-error': 'AccessDenied;Sender' }));
    for (const error of [byBody, byHeader])
      expect(sdkFailure(error, SQSServiceException)).toMatchObject({ name: 'SqsRefusal', status: 400 });
  });

  it('gives a refusal if a stand-in for the client throws an exception of SQS', () => {
    expect(sdkFailure(exceptionOf('QueueDoesNotExist'), SQSServiceException)).toMatchObject({ sqsCode: 'QueueDoesNotExist' });
  });

  it('gives no refusal if the answer has no code, or another service gave it', () => {
    expect(sdkFailure(exceptionOf('Unknown', answered({})), SQSServiceException)).toMatchObject({ name: 'Http400' });
    const ofSts = named('InvalidIdentityToken', { $fault: 'client', $metadata: { httpStatusCode: 400 }, __type: 'InvalidIdentityToken' });
    const failure = sdkFailure(ofSts, SQSServiceException);
    expect(failure).toMatchObject({ name: 'InvalidIdentityToken' });
    expect(requestError('SendMessageBatch', failure).transient).toBe(true);
  });

  it.each(['text', undefined, named('TimeoutError'), named('x', { $metadata: { attempts: 3 } }), { $metadata: null }])(
    'gives the error itself if there was no answer: %o',
    (error) => {
      expect(sdkFailure(error, SQSServiceException)).toBe(error);
    },
  );
});
