import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SqsTransport, type SqsTransportOptions, type TransportEvents, type TransportTracing } from '../../../src/transport/index.ts';
import type { StepResult } from '../../../src/wire/step-result.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { deferred } from '../../support/deferred.ts';
import { taskFor } from '../../support/sqs-records.ts';
import { FakeSqs } from './fake-sqs.ts';

const TASKS = 'durable-tasks-step';
const RESULTS = 'durable-results';
const RESULT: StepResult = { runId: 'run', seq: 0, stepId: 'run:0', status: 'completed', output: 'secret' };
const SEEN = {
  kind: 'result',
  status: 'completed',
  runId: 'run',
  stepId: 'run:0',
  messageId: expect.any(String),
  receiveCount: 1,
  queueUrl: FakeSqs.url(RESULTS),
};

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
  vi.spyOn(Math, 'random').mockReturnValue(1);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const pass = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

/** Every event in the order of the calls. */
function recorder() {
  const events: [name: string, event: unknown][] = [];
  const at = (name: string) => (event: unknown) => void events.push([name, event]);
  const names = ['taskSent', 'resultReceived', 'resultAccepted', 'redelivered'] as const;
  const on: TransportEvents = Object.fromEntries(names.map((name) => [name, at(name)]));
  return { on, events };
}

function setUp(options: SqsTransportOptions, handler: (result: StepResult) => Promise<void> = async () => undefined) {
  const sqs = new FakeSqs(TASKS, RESULTS);
  const logger = capturingLogger();
  const transport = new SqsTransport({ client: sqs.client(), logger, resultHoldMs: 0, ...options });
  transport.onResult(handler);
  return { sqs, transport, logger };
}

describe('events of a transport', () => {
  it('tell of a task once SQS has accepted it', async () => {
    const { on, events } = recorder();
    const { transport } = setUp({ on });
    await transport.dispatch(taskFor({ input: 'secret', traceparent: '00-a' }));
    const task = { kind: 'step', name: 'step', runId: 'run', stepId: 'run:0', attempt: 1, traceparent: '00-a' };
    expect(events).toEqual([['taskSent', { ...task, queueUrl: FakeSqs.url(TASKS) }]]);
  });

  it('tell of a result when it was received, and when the engine has accepted it', async () => {
    const { on, events } = recorder();
    const turn = deferred<void>();
    const { sqs } = setUp({ on }, () => turn.promise);
    sqs.put(RESULTS, RESULT);
    await pass(10);
    expect(events).toEqual([['resultReceived', SEEN]]);
    turn.resolve();
    await pass();
    expect(events[1]).toEqual(['resultAccepted', SEEN]);
    expect(JSON.stringify(events)).not.toContain('secret');
  });

  it('tell of a result that the engine rejects, with the time after which it comes again', async () => {
    const { on, events } = recorder();
    const { sqs } = setUp({ on }, () => Promise.reject(new Error('locked')));
    sqs.put(RESULTS, RESULT);
    await pass(10);
    expect(events.map(([name]) => name)).toEqual(['resultReceived', 'redelivered']);
    expect(events[1]?.[1]).toEqual({ ...SEEN, delaySeconds: expect.any(Number) });
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('mine');
      },
    ],
    ['rejects', () => Promise.reject(new Error('mine'))],
  ])('a listener that %s costs no result and is logged', async (_how, listener) => {
    const { sqs, logger } = setUp({ on: { resultReceived: listener } });
    sqs.put(RESULTS, RESULT);
    await pass(100);
    expect(sqs.messages(RESULTS)).toEqual([]);
    expect(logger.lines).toContainEqual({ level: 'error', message: 'an event listener threw', fields: { errorName: 'Error' } });
  });
});

describe('tracing of a transport', () => {
  /** Sends on with another trace context, and remembers what it was asked to wrap. */
  function tracer() {
    const wrapped: unknown[] = [];
    const tracing: TransportTracing = {
      send: (task, send) => {
        wrapped.push(task);
        return send('00-b');
      },
      receive: async (answer, give) => {
        wrapped.push(answer);
        await give();
        wrapped.push('given');
      },
    };
    return { tracing, wrapped };
  }

  it('decides which trace context a task carries, and nothing else of it', async () => {
    const { sqs, transport } = setUp({ tracing: tracer().tracing });
    const task = taskFor({ input: 1, context: { tenant: 't' } });
    await transport.dispatch(task);
    expect(sqs.bodies(TASKS)).toEqual([{ ...task, traceparent: '00-b' }]);
  });

  it('wraps the turn of a workflow on a worker, too', async () => {
    const { tracing, wrapped } = tracer();
    const { sqs, transport } = setUp({ tracing });
    const turn = { taskId: 't-1', runId: 'run', workflow: 'w', workflowVersion: '1', input: 1, history: [], group: 'step', attempt: 1 };
    await transport.dispatchWorkflowTask(turn);
    expect(wrapped).toEqual([{ kind: 'turn', name: 'w', runId: 'run', stepId: 't-1', attempt: 1, traceparent: undefined }]);
    expect(sqs.bodies(TASKS)).toEqual([{ ...turn, traceparent: '00-b' }]);
  });

  it('wraps the time that the engine has a result', async () => {
    const { tracing, wrapped } = tracer();
    const turn = deferred<void>();
    const { sqs } = setUp({ tracing }, () => turn.promise);
    sqs.put(RESULTS, RESULT);
    await pass(10);
    expect(wrapped).toEqual([SEEN]);
    turn.resolve();
    await pass();
    expect(wrapped).toEqual([SEEN, 'given']);
  });
});

describe('options', () => {
  it.each([
    [
      { on: { resultRecieved() {} } },
      'expected on to be an object of functions: taskSent, resultReceived, resultAccepted, redelivered, got an object',
    ],
    [
      { on: { taskSent: 1 } },
      'expected on to be an object of functions: taskSent, resultReceived, resultAccepted, redelivered, got an object',
    ],
    [{ tracing: { send() {} } }, 'expected tracing to be an object with send and receive, such as openTelemetry() makes, got an object'],
  ])('%o is refused', (options: object, message) => {
    expect(() => new SqsTransport(options)).toThrow(`SqsTransport: ${message}`);
  });

  it('an event may be left undefined', () => {
    const options: object = { on: { taskSent: undefined } };
    expect(() => new SqsTransport(options)).not.toThrow();
  });
});
