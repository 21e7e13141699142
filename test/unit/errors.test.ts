import { describe, expect, it } from 'vitest';
import * as errors from '../../src/errors.ts';

const {
  ConfigurationError,
  DispatchTimeoutError,
  DurableSqsError,
  InvalidEventError,
  InvalidMessageError,
  AwaitedElsewhereError,
  NamespaceMismatchError,
  PayloadStoreError,
  QueueNotFoundError,
  ReplayFailedError,
  ResultRefusedError,
  ResultsNotAcceptedError,
  RunLockedError,
  SqsRequestError,
  StepFailedError,
  StepTimeoutUnsupportedError,
  StoreUnavailableError,
  TaskTooLargeError,
  TransportClosedError,
  UnsupportedInWorkflowError,
} = errors;

const TASK = { runId: 'run-1', stepId: 'run-1:2', name: 'payments.charge-card', input: { pan: '4111' } };
const cause = new Error('cause');

const TABLE: [name: string, code: string, error: errors.DurableSqsError][] = [
  ['ConfigurationError', 'configuration', new ConfigurationError('m', { cause })],
  ['QueueNotFoundError', 'queue_not_found', new QueueNotFoundError('durable-tasks-a', 'eu-west-1', { cause })],
  ['InvalidMessageError', 'invalid_message', new InvalidMessageError('RemoteTask', 'expected JSON')],
  ['TaskTooLargeError', 'task_too_large', new TaskTooLargeError(TASK, 2_000_000, 1_048_576)],
  ['SqsRequestError', 'sqs_request', new SqsRequestError('SendMessageBatch', 'OverLimit', true, { cause })],
  ['DispatchTimeoutError', 'dispatch_timeout', new DispatchTimeoutError(TASK, 30_000, { cause })],
  ['TransportClosedError', 'transport_closed', new TransportClosedError('m', { cause })],
  ['StepTimeoutUnsupportedError', 'step_timeout_unsupported', new StepTimeoutUnsupportedError(TASK)],
  ['StoreUnavailableError', 'store_unavailable', new StoreUnavailableError(3, { cause })],
  ['RunLockedError', 'run_locked', new RunLockedError('run-1')],
  ['AwaitedElsewhereError', 'awaited_elsewhere', new AwaitedElsewhereError('run-1:0')],
  ['NamespaceMismatchError', 'namespace_mismatch', new NamespaceMismatchError('run-1')],
  ['ResultRefusedError', 'result_refused', new ResultRefusedError(TASK, ' (22P05)')],
  ['ResultsNotAcceptedError', 'results_not_accepted', new ResultsNotAcceptedError(10, { cause })],
  ['PayloadStoreError', 'payload_store', new PayloadStoreError('missing', 'm', { cause })],
  ['ReplayFailedError', 'replay_failed', new ReplayFailedError(1, 2)],
  ['InvalidEventError', 'invalid_event', new InvalidEventError('m', { cause })],
  ['UnsupportedInWorkflowError', 'unsupported_in_workflow', new UnsupportedInWorkflowError('ctx.patched()', 'Deploy a version')],
  ['StepFailedError', 'no_handler', new StepFailedError('no_handler', 'm')],
];

describe('every error', () => {
  it.each(TABLE)('%s has a name of its own that no minifier changes, and the code %s', (name, code, error) => {
    expect(error).toBeInstanceOf(DurableSqsError);
    expect(error).toBeInstanceOf(Error);
    expect({ name: error.name, code: error.code }).toEqual({ name, code });
    expect(Object.hasOwn(error, 'name')).toBe(true);
    expect(String(error)).toBe(`${name}: ${error.message}`);
    expect(error.message).not.toContain('4111');
    expect(error.stack).toContain('errors.test.ts');
  });

  it('stands in the table above', () => {
    const classes = Object.values(errors).filter((value) => value !== DurableSqsError);
    expect(new Set(TABLE.map(([, , error]) => error.constructor))).toEqual(new Set(classes));
    // One code per class, but for step failures, whose code says what failed.
    expect(new Set(TABLE.map(([, code]) => code)).size).toBe(TABLE.length);
  });

  it.each(TABLE.filter(([, , error]) => 'cause' in error))('%s keeps its cause', (_name, _code, error) => {
    expect(error.cause).toBe(cause);
  });

  it('keeps a cause wherever one can be given', () => {
    expect(TABLE.filter(([, , error]) => !('cause' in error)).map(([name]) => name)).toEqual([
      'InvalidMessageError',
      'TaskTooLargeError',
      'StepTimeoutUnsupportedError',
      'RunLockedError',
      'AwaitedElsewhereError',
      'NamespaceMismatchError',
      'ResultRefusedError',
      'ReplayFailedError',
      'UnsupportedInWorkflowError',
      'StepFailedError',
    ]);
  });
});

describe('messages', () => {
  it('QueueNotFoundError names queue and region, and says what to do or what is known', () => {
    const error = new QueueNotFoundError('durable-tasks-a', 'eu-west-1');
    expect(error).toMatchObject({ queue: 'durable-tasks-a', region: 'eu-west-1' });
    expect(error.message).toBe('no SQS queue "durable-tasks-a" in region eu-west-1: check prefix, deployment, region, account');
    expect(new QueueNotFoundError('q', 'eu-west-1', { why: 'x' }).message).toBe('no SQS queue "q" in region eu-west-1: x');
  });

  it('InvalidMessageError says what was expected', () => {
    const error = new InvalidMessageError('StepResult', 'expected seq to be an integer, got a string');
    expect(error.problem).toBe('expected seq to be an integer, got a string');
    expect(error.message).toBe('message body is not a StepResult: expected seq to be an integer, got a string');
  });

  it('TaskTooLargeError names the step, its size and the limit', () => {
    const error = new TaskTooLargeError(TASK, 2_000_000, 1_048_576);
    expect(error).toMatchObject({ runId: 'run-1', stepId: 'run-1:2', bytes: 2_000_000 });
    expect(error.message).toBe(
      'task of step run-1:2 ("payments.charge-card") is 2000000 bytes, SQS accepts 1048576. Give the transport a payloadStore, ' +
        'or pass a reference to the data instead of the data.',
    );
  });

  it('SqsRequestError names operation and code, and whether it passes', () => {
    expect(new SqsRequestError('SendMessageBatch', 'OverLimit', true)).toMatchObject({
      message: 'SQS SendMessageBatch failed: OverLimit',
      sqsCode: 'OverLimit',
      transient: true,
    });
  });

  it('DispatchTimeoutError says that the send is ambiguous', () => {
    const error = new DispatchTimeoutError(TASK, 30_000);
    expect(error).toMatchObject({ runId: 'run-1', stepId: 'run-1:2' });
    expect(error.message).toBe('task of step run-1:2 was not accepted by SQS within 30000 ms; SQS may have it all the same');
  });

  it('ResultsNotAcceptedError counts the records', () => {
    expect(new ResultsNotAcceptedError(10).message).toBe(
      'SQS accepted none of the results of 10 record(s); the batch will be delivered again',
    );
  });

  it('StepFailedError is not retried unless it says so', () => {
    expect(new StepFailedError('invalid_input', 'm').retryable).toBe(false);
    expect(new StepFailedError('invalid_input', 'm', true)).toMatchObject({ code: 'invalid_input', message: 'm', retryable: true });
  });
});
