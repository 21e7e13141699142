import {
  type EngineEventType,
  InMemoryStateStore,
  type RemoteTask,
  type StepResult,
  type Transport,
  WorkflowEngine,
  type WorkflowRun,
} from '@dudousxd/nestjs-durable-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConfigurationError } from '../../../src/errors.ts';
import { NO_STEP } from '../../../src/transport/engine/result-order.ts';
import { type AttachableEngine, SqsTransport, type SqsTransportOptions } from '../../../src/transport/index.ts';
import { isRecord } from '../../../src/wire/shape.ts';
import { mortal } from '../../faults/stores.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { deferred, stateOf } from '../../support/deferred.ts';
import { settle } from '../../support/fake-timing.ts';
import { MemoryPayloads } from '../../support/memory-payloads.ts';
import { taskFor } from '../../support/sqs-records.ts';
import { ended } from './ended.ts';
import { definite, FakeSqs, pass, transient } from './fake-sqs.ts';
import { toleratingUnhandledRejections } from './unhandled-rejections.ts';

const TASKS = 'durable-tasks-step';
const RESULTS = 'durable-results';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const resultOf = (seq: number, runId = 'run'): StepResult => ({ runId, seq, stepId: `${runId}:${seq}`, status: 'completed', output: seq });

function setUp(options: SqsTransportOptions = {}, sqs = new FakeSqs(TASKS, RESULTS)) {
  const logger = capturingLogger();
  const transport = new SqsTransport({ client: sqs.client(), logger, ...options });
  return { sqs, logger, transport };
}

/** A transport with an engine's handler. */
function withHandler(handler: (result: StepResult) => Promise<void> = async () => undefined, options: SqsTransportOptions = {}) {
  const all = setUp(options);
  const handled: string[] = [];
  all.transport.onResult(async (result) => {
    // The transport asks whether the store answers.
    if (result.stepId === NO_STEP) return;
    handled.push(result.stepId);
    await handler(result);
  });
  return { ...all, handled };
}

/** An engine that does nothing but tell its events. */
function fakeEngine(fields: Partial<AttachableEngine> = {}) {
  const listeners = new Set<Parameters<AttachableEngine['subscribe']>[0]>();
  return {
    listeners,
    emit: (type: EngineEventType, fields: { seq?: number; kind?: 'remote' } = {}) => {
      for (const listener of listeners) listener({ type, runId: 'run', at: new Date(), ...fields });
    },
    subscribe(listener: Parameters<AttachableEngine['subscribe']>[0]) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    getRun: async () => null,
    resume: async () => undefined,
    ...fields,
  };
}

describe('options', () => {
  const WHERE = 'SqsTransport: ';
  it.each<[object, string]>([
    [
      { prefixx: 'a' },
      'unknown option "prefixx", expected one of around, autoCreate, autoStart, client, clientConfig, concurrency, consumeTasks, dispatchTimeoutMs, ' +
        'fifo, group, logger, marker, messageGroupId, namespace, on, onError, payloadStore, prefix, resultHoldMs, resultsQueueUrl, ' +
        'startRuns, taskQueueUrl, tracing, visibilityTimeoutSec, waitTimeSeconds',
    ],
    [{ fifo: { task: true } }, 'expected fifo to be true, false or { tasks?: boolean, results?: boolean }, got an object'],
    [{ fifo: 'tasks' }, 'expected fifo to be true, false or { tasks?: boolean, results?: boolean }, got "tasks"'],
    [{ fifo: { results: 1 } }, 'expected fifo to be true, false or { tasks?: boolean, results?: boolean }, got an object'],
    [
      { fifo: true, taskQueueUrl: 'https://sqs/1/t' },
      'expected taskQueueUrl to be the URL of a FIFO queue (it ends in .fifo) beside the fifo option, got "https://sqs/1/t"',
    ],
    [
      { fifo: { results: true }, resultsQueueUrl: 'https://sqs/1/r' },
      'expected resultsQueueUrl to be the URL of a FIFO queue (it ends in .fifo) beside the fifo option, got "https://sqs/1/r"',
    ],
    [
      { fifo: { tasks: true }, messageGroupId: () => 'tenant' },
      'expected messageGroupId to be absent where the tasks queue is FIFO: its message group is the run, got a function',
    ],
    [
      { taskQueueUrl: 'https://sqs/1/t.fifo', messageGroupId: () => 'tenant' },
      'expected messageGroupId to be absent where the tasks queue is FIFO: its message group is the run, got a function',
    ],
    [
      { payloadStore: { put() {}, get() {} } },
      'expected payloadStore to be a payload store with thresholdBytes, put and get, got an object',
    ],
    [{ client: {} }, 'expected client to be an SQSClient, got an object'],
    [{ clientConfig: 'eu-west-1' }, 'expected clientConfig to be the configuration of a client, not a client, got "eu-west-1"'],
    [{ group: '' }, 'expected group to be a non-empty string, got an empty string'],
    [{ taskQueueUrl: 'orders' }, 'expected taskQueueUrl to be the URL of a queue, or a function that gives it, got "orders"'],
    [{ resultsQueueUrl: 5 }, 'expected resultsQueueUrl to be the URL of a queue, or a function that gives it, got 5'],
    [{ prefix: '' }, 'expected prefix to be a non-empty string, got an empty string'],
    [{ autoCreate: 'yes' }, 'expected autoCreate to be true or false, got "yes"'],
    [{ marker: 1 }, 'expected marker to be a non-empty string, got 1'],
    [{ waitTimeSeconds: 21 }, 'expected waitTimeSeconds to be an integer from 0 to 20, got 21'],
    [{ waitTimeSeconds: 0.5 }, 'expected waitTimeSeconds to be an integer from 0 to 20, got 0.5'],
    [{ visibilityTimeoutSec: 0 }, 'expected visibilityTimeoutSec to be an integer from 1 to 43200, got 0'],
    [{ namespace: '' }, 'expected namespace to be a non-empty string, got an empty string'],
    [{ autoStart: 1 }, 'expected autoStart to be true or false, got 1'],
    [{ consumeTasks: null }, 'expected consumeTasks to be true or false, got null'],
    [{ concurrency: 0 }, 'expected concurrency to be an integer of at least 1, got 0'],
    [{ dispatchTimeoutMs: -1 }, 'expected dispatchTimeoutMs to be an integer of at least 0, got -1'],
    [{ resultHoldMs: Number.NaN }, 'expected resultHoldMs to be an integer of at least 0, got NaN'],
    [{ messageGroupId: 'tenant' }, 'expected messageGroupId to be a function, got "tenant"'],
    [{ startRuns: 'yes' }, 'expected startRuns to be true or false, got "yes"'],
    [{ onError: {} }, 'expected onError to be a function, got an object'],
    [{ logger: { warn() {} } }, 'expected logger to be a logger with debug, info, warn and error, got an object'],
  ])('%o is refused', (options, message) => {
    expect(() => new SqsTransport(options)).toThrow(new ConfigurationError(WHERE + message));
  });

  it.each([
    [{ prefix: 'a.b' }, 'expected prefix to be one or more of A-Z a-z 0-9 _ - (that is all AWS allows in a queue name), got "a.b"'],
    [{ prefix: 'my-tasks' }, 'expected prefix to be free of "-tasks", which marks the kind of a queue, got "my-tasks"'],
    [
      { namespace: 'e/u' },
      'expected prefix to be one or more of A-Z a-z 0-9 _ - (that is all AWS allows in a queue name), got "durable-e/u"',
    ],
  ])('%o is refused for what AWS would make of it', (options, message) => {
    expect(() => new SqsTransport(options)).toThrow(new ConfigurationError(message));
  });

  it('all that are given as undefined count as not given', () => {
    const none = Object.fromEntries(['client', 'group', 'prefix', 'onError', 'logger', 'resultHoldMs'].map((name) => [name, undefined]));
    expect(() => new SqsTransport({ clientConfig: { region: 'eu-west-1' }, ...none })).not.toThrow();
  });

  it('clientConfig beside a client is not used, as in the published transport', async () => {
    const { sqs, transport } = setUp({ clientConfig: { region: 'nowhere', endpoint: 'http://127.0.0.1:1' } });
    await transport.dispatch(taskFor());
    expect(sqs.messages(TASKS)).toHaveLength(1);
  });

  it.each([
    [{}, 'durable-tasks-payments--charge-card'],
    [{ prefix: 'shop' }, 'shop-tasks-payments--charge-card'],
    [{ namespace: 'eu' }, 'durable-eu-tasks-payments--charge-card'],
    [{ prefix: 'shop', namespace: 'eu' }, 'shop-eu-tasks-payments--charge-card'],
    [{ namespace: 'default' }, 'durable-tasks-payments--charge-card'],
  ])('%o names queues', async (options, queue) => {
    const { sqs, transport } = setUp(options, new FakeSqs(queue));
    await transport.dispatch(taskFor({ name: 'payments.charge-card' }));
    expect(sqs.messages(queue)).toHaveLength(1);
  });

  it.each([
    [{}, { DURABLE_PREFIX: 'shop' }, 'shop-tasks-payments--charge-card'],
    [{}, { DURABLE_PREFIX: 'shop', DURABLE_NAMESPACE: 'eu' }, 'shop-eu-tasks-payments--charge-card'],
    [{ prefix: 'mine' }, { DURABLE_PREFIX: 'shop' }, 'mine-tasks-payments--charge-card'],
    [{ namespace: 'us' }, { DURABLE_NAMESPACE: 'eu' }, 'durable-us-tasks-payments--charge-card'],
    [{}, { DURABLE_PREFIX: '', DURABLE_NAMESPACE: '' }, 'durable-tasks-payments--charge-card'],
  ])('%o in the environment %o names queues', async (options, env, queue) => {
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    const { sqs, transport } = setUp(options, new FakeSqs(queue));
    vi.unstubAllEnvs();
    await transport.dispatch(taskFor({ name: 'payments.charge-card' }));
    expect(sqs.messages(queue)).toHaveLength(1);
  });

  it('a FIFO step beside a standard one needs no option', async () => {
    const { sqs, transport } = setUp({}, new FakeSqs('durable-tasks-charge.fifo', 'durable-tasks-mail'));
    for (const name of ['charge', 'mail']) await transport.dispatch(taskFor({ name }));
    expect(sqs.messages('durable-tasks-charge.fifo')[0]).toMatchObject({ groupId: taskFor().runId });
    expect(sqs.messages('durable-tasks-mail')).toHaveLength(1);
  });

  it.each([
    ['is told of', {}, 'durable-results.fifo', 1],
    ['is told of where the option says it', { fifo: true }, 'durable-results.fifo', 1],
    ['is not told of where it is standard', {}, 'durable-results', 0],
  ])('a FIFO results queue without attach %s', async (_what, options, queue, times) => {
    const warned: string[] = [];
    const logger = { debug() {}, info() {}, error() {}, warn: (message: string) => void warned.push(message) };
    const { transport } = setUp({ ...options, logger }, new FakeSqs(queue));
    transport.onResult(async () => undefined);
    await pass();
    await ended(transport.close());
    expect(warned.filter((message) => message.startsWith('a FIFO results queue without attach'))).toHaveLength(times);
  });

  it('the namespace "default" is none: partitions are allowed', async () => {
    const { sqs, transport } = setUp({ namespace: 'default' }, new FakeSqs('durable-tasks-step_at_acme'));
    await transport.dispatch(taskFor({ group: 'step@acme' }));
    expect(sqs.messages('durable-tasks-step_at_acme')).toHaveLength(1);
  });

  it('queue URLs are used as they are, or asked for once', async () => {
    const asked: string[] = [];
    const { sqs, transport } = setUp(
      {
        taskQueueUrl: async (token) => {
          asked.push(token);
          return FakeSqs.url(`mine-${token}`);
        },
        resultsQueueUrl: FakeSqs.url('answers'),
      },
      new FakeSqs('mine-a', 'mine-b', 'answers'),
    );
    for (const name of ['a', 'b', 'a']) await transport.dispatch(taskFor({ name }));
    transport.onResult(async () => undefined);
    await pass();
    expect(asked).toEqual(['a', 'b']);
    expect(sqs.callsOf('receive')[0]?.queue).toBe('answers');
    expect(sqs.callsOf('find')).toEqual([]);
    await ended(transport.close());
  });

  it('a literal taskQueueUrl serves every token', async () => {
    const { sqs, transport } = setUp({ taskQueueUrl: FakeSqs.url('one') }, new FakeSqs('one'));
    for (const name of ['a', 'b']) await transport.dispatch(taskFor({ name }));
    expect(sqs.messages('one')).toHaveLength(2);
  });
});

describe('start', () => {
  it('comes by itself one macrotask after onResult, not before', async () => {
    const { sqs } = withHandler();
    // Everything that needs no macrotask; those are faked.
    await settle();
    expect(sqs.calls).toEqual([]);
    await pass();
    expect(sqs.callsOf('receive')).toHaveLength(1);
  });

  it('waits for start() with autoStart: false', async () => {
    const { sqs, transport, handled } = withHandler(undefined, { autoStart: false });
    transport.handle('step', () => 1);
    sqs.put(RESULTS, resultOf(0));
    sqs.put(TASKS, taskFor());
    await pass(60_000);
    expect(sqs.calls).toEqual([]);
    transport.start();
    await pass();
    expect(handled).toContain('run:0');
    expect(sqs.messages(TASKS)).toEqual([]);
  });

  it('may come before onResult and handle, and more than once', async () => {
    const { sqs, transport } = setUp({ autoStart: false });
    transport.start();
    transport.onResult(async () => undefined);
    transport.handle('step', () => 1);
    transport.start();
    await pass();
    expect(
      sqs
        .callsOf('receive')
        .map(({ queue }) => queue)
        .sort(),
    ).toEqual([RESULTS, TASKS]);
  });

  it('comes by itself for handle too', async () => {
    const { sqs, transport } = setUp();
    sqs.put(TASKS, taskFor());
    transport.handle('step', () => 1);
    await pass();
    expect(sqs.messages(RESULTS)).toHaveLength(1);
  });

  describe('autoStart: false, and nobody calls start()', () => {
    const notStarted = (logger: ReturnType<typeof capturingLogger>) => logger.lines.filter(({ message }) => message.includes('start()'));

    it('a dispatch is warned of after ten seconds, once', async () => {
      const { transport, logger } = withHandler(undefined, { autoStart: false });
      await transport.dispatch(taskFor({ seq: 0 }));
      await pass(9_900);
      await transport.dispatch(taskFor({ seq: 1 }));
      expect(notStarted(logger)).toEqual([]);
      await pass(100);
      expect(notStarted(logger)).toMatchObject([{ level: 'warn', fields: {} }]);
      await transport.dispatch(taskFor({ seq: 2 }));
      await pass(3_600_000);
      expect(notStarted(logger)).toHaveLength(1);
      await ended(transport.close());
    });

    it.each<[string, (transport: SqsTransport) => void]>([
      ['start() is called', (transport) => transport.start()],
      ['it is closed', (transport) => void transport.close()],
    ])('nothing is warned of where %s in time', async (_what, act) => {
      const { transport, logger } = withHandler(undefined, { autoStart: false });
      await transport.dispatch(taskFor());
      await pass(5_000);
      act(transport);
      await pass(60_000);
      expect(notStarted(logger)).toEqual([]);
      await ended(transport.close());
      expect(vi.getTimerCount()).toBe(0);
    });

    it.each<[string, () => { transport: SqsTransport; logger: ReturnType<typeof capturingLogger> }]>([
      ['receives by itself', () => withHandler()],
      ['serves no engine', () => setUp({ autoStart: false })],
    ])('nothing is warned of where the transport %s', async (_what, make) => {
      const { transport, logger } = make();
      await transport.dispatch(taskFor());
      await pass(60_000);
      expect(notStarted(logger)).toEqual([]);
      await ended(transport.close());
    });

    it('nothing is warned of where nothing is dispatched: an API that only starts runs', async () => {
      const { transport, logger } = withHandler(undefined, { autoStart: false });
      await pass(60_000);
      expect(notStarted(logger)).toEqual([]);
      await ended(transport.close());
    });
  });

  it('start does nothing once the transport is closed', async () => {
    const { sqs, transport } = withHandler();
    await ended(transport.close());
    transport.start();
    await pass(60_000);
    expect(sqs.calls).toEqual([]);
  });
});

describe('handle', () => {
  it('serves the queue of each step, and of its partition', async () => {
    const sqs = new FakeSqs('durable-tasks-a', 'durable-tasks-b_at_acme', RESULTS);
    const { transport } = setUp({}, sqs);
    transport.handle('a', () => 'A');
    transport.handle('b', () => 'B', 'acme');
    sqs.put('durable-tasks-a', taskFor({ name: 'a', seq: 1 }));
    sqs.put('durable-tasks-b_at_acme', taskFor({ name: 'b', seq: 2 }));
    await pass();
    expect(sqs.bodies(RESULTS)).toEqual([
      expect.objectContaining({ seq: 1, output: 'A' }),
      expect.objectContaining({ seq: 2, output: 'B' }),
    ]);
  });

  it('serves exactly the queue of its group, for all steps', async () => {
    const sqs = new FakeSqs('durable-tasks-group', RESULTS);
    const { transport } = setUp({ group: 'group' }, sqs);
    transport.handle('a', () => 'A');
    transport.handle('b', () => 'B', 'acme');
    sqs.put('durable-tasks-group', taskFor({ name: 'a', group: 'group' }));
    sqs.put('durable-tasks-group', taskFor({ name: 'b', group: 'group' }));
    await pass();
    expect(sqs.messages(RESULTS)).toHaveLength(2);
    expect(new Set(sqs.callsOf('receive').map(({ queue }) => queue))).toEqual(new Set(['durable-tasks-group']));
  });

  it('consumeTasks: false makes it do nothing', async () => {
    const { sqs, transport } = setUp({ consumeTasks: false });
    transport.handle('step', () => 1);
    sqs.put(TASKS, taskFor());
    await pass(60_000);
    expect(sqs.calls).toEqual([]);
  });

  it('refuses what is no function', () => {
    const { transport } = setUp();
    expect(() => Reflect.apply(transport.handle, transport, ['step', {}])).toThrow(
      new ConfigurationError('SqsTransport.handle("step"): expected a function, got object'),
    );
  });
});

describe('one engine', () => {
  it('per transport: a second onResult is refused', () => {
    const { transport } = withHandler();
    expect(() => transport.onResult(async () => undefined)).toThrow(
      new ConfigurationError(
        'SqsTransport.onResult: expected one engine at a time, got a second one. Close the transport before the next engine is made (in a test of a ' +
          'NestJS app: await app.close()), or make a transport for each engine.',
      ),
    );
  });

  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'nothing'],
    ['a store', { ensureSchema() {} }, 'an object'],
    ['a function', () => undefined, 'a function'],
    ['an engine without resume', { ...fakeEngine(), resume: undefined }, 'one without resume'],
    ['an engine without getRun and resume', { subscribe: () => () => undefined }, 'one without getRun and resume'],
  ])('attach refuses %s', (_what, engine, got) => {
    const { transport } = setUp();
    expect(() => Reflect.apply(transport.attach, transport, [engine])).toThrow(
      new ConfigurationError(
        `SqsTransport.attach: expected the WorkflowEngine of @dudousxd/nestjs-durable-core >=0.62.0 <1.0.0, got ${got}`,
      ),
    );
    transport.attach(fakeEngine());
  });

  it('attach accepts the WorkflowEngine', () => {
    const { transport } = setUp({ autoStart: false });
    expect(() => transport.attach(new WorkflowEngine({ store: new InMemoryStateStore(), transport }))).not.toThrow();
  });

  it('a second attach is refused', () => {
    const { transport } = setUp();
    transport.attach(fakeEngine());
    expect(() => transport.attach(fakeEngine())).toThrow(
      new ConfigurationError('SqsTransport.attach: this transport is attached to an engine already'),
    );
  });

  it('close ends the subscription to the engine', async () => {
    const { transport } = setUp();
    const engine = fakeEngine();
    transport.attach(engine);
    expect(engine.listeners.size).toBe(1);
    await ended(transport.close());
    expect(engine.listeners.size).toBe(0);
  });

  it('takes heartbeats from nobody', () => {
    expect(setUp().transport.onHeartbeat(async () => undefined)).toBeUndefined();
  });
});

describe('results', () => {
  it('attached: results are held until the turn has ended that dispatched their step', async () => {
    const { sqs, transport, handled } = withHandler();
    const engine = fakeEngine();
    transport.attach(engine);
    engine.emit('run.started');
    await transport.dispatch(taskFor());
    sqs.put(RESULTS, resultOf(0));
    await pass(10_000);
    expect(handled).toEqual([]);
    engine.emit('run.suspended');
    await pass();
    expect(handled).toEqual(['run:0']);
  });

  it('attached: results are held for a minute at most, or resultHoldMs', async () => {
    for (const [options, holdMs] of [
      [{}, 60_000],
      [{ resultHoldMs: 500 }, 500],
    ] as const) {
      const { sqs, transport, handled } = withHandler(undefined, options);
      const engine = fakeEngine();
      transport.attach(engine);
      engine.emit('run.started');
      await transport.dispatch(taskFor());
      await pass();
      sqs.put(RESULTS, resultOf(0));
      await pass(holdMs - 1);
      expect(handled).toEqual([]);
      await pass(1);
      expect(handled).toEqual(['run:0']);
      await ended(transport.close());
    }
  });

  it('unattached: results are held for a quarter of a second past their dispatch, or resultHoldMs', async () => {
    for (const [options, holdMs] of [
      [{}, 250],
      [{ resultHoldMs: 1_000 }, 1_000],
    ] as const) {
      const { sqs, transport, handled } = withHandler(undefined, options);
      await pass(3_000);
      await transport.dispatch(taskFor());
      sqs.put(RESULTS, resultOf(0));
      await pass(holdMs - 1);
      expect(handled).toEqual([]);
      await pass(1);
      expect(handled).toEqual(['run:0']);
      await ended(transport.close());
    }
  });

  it('unattached: a step that its turn awaits in memory is not held, however long its worker takes', async () => {
    const answered = deferred<void>();
    const { sqs, transport, handled } = withHandler(async ({ seq }) => {
      if (seq === 1) return answered.resolve();
      await transport.dispatch(taskFor({ seq: 1 }));
      await answered.promise;
    });
    sqs.put(RESULTS, resultOf(0));
    await pass(5_000);
    sqs.put(RESULTS, resultOf(1));
    // Deletes wait a little for each other's company.
    await pass(20);
    expect(handled).toEqual(['run:0', 'run:1']);
    expect(sqs.messages(RESULTS)).toEqual([]);
  });

  it('a queue that is deleted and made anew elsewhere is found', async () => {
    const urls = [FakeSqs.url('old'), FakeSqs.url('new')];
    const sqs = new FakeSqs('old', 'new');
    const { transport } = setUp({ resultsQueueUrl: () => urls[0] ?? '' }, sqs);
    const handled: string[] = [];
    transport.onResult(async ({ stepId }) => void handled.push(stepId));
    await pass();
    urls.shift();
    sqs.removeQueue('old');
    sqs.put('new', resultOf(0));
    await pass(1_000);
    expect(handled).toEqual(['run:0']);
  });

  it('a results queue that is missing is made with autoCreate', async () => {
    const sqs = new FakeSqs();
    const { transport } = setUp({ autoCreate: true }, sqs);
    transport.onResult(async () => undefined);
    await pass();
    expect(sqs.queueNames.sort()).toEqual(['durable-results', 'durable-results-dead-letters']);
    sqs.removeQueue(RESULTS);
    await pass(1_000);
    expect(sqs.queueNames).toContain(RESULTS);
  });
});

describe('onError', () => {
  it('hears of what is survived', async () => {
    const errors: unknown[] = [];
    const { sqs } = withHandler(undefined, { onError: (error) => errors.push(error) });
    sqs.fault = (operation) => (operation === 'receive' ? transient('ServiceUnavailable') : undefined);
    await pass(40);
    expect(errors).toEqual([expect.objectContaining({ name: 'SqsRequestError', sqsCode: 'ServiceUnavailable' })]);
  });

  it('may throw', async () => {
    const { sqs, logger, handled } = withHandler(
      async () => {
        if (handled.length === 1) throw new Error('no');
      },
      {
        onError: () => {
          throw new TypeError('card 4111');
        },
      },
    );
    sqs.put(RESULTS, resultOf(0));
    await pass(5_000);
    expect(handled).toEqual(['run:0', 'run:0']);
    expect(logger.lines).toContainEqual({ level: 'error', message: 'onError threw', fields: { errorName: 'TypeError' } });
    expect(JSON.stringify(logger.lines)).not.toContain('4111');
  });

  it('may be async and reject: the process goes on', async () => {
    const { sqs, logger, handled } = withHandler(
      async () => {
        if (handled.length === 1) throw new Error('no');
      },
      {
        onError: async () => {
          throw new TypeError('card 4111');
        },
      },
    );
    const unhandled = await toleratingUnhandledRejections(async () => {
      sqs.put(RESULTS, resultOf(0));
      await pass(5_000);
    });
    expect(unhandled).toEqual([]);
    expect(handled).toEqual(['run:0', 'run:0']);
    expect(logger.lines).toContainEqual({ level: 'error', message: 'onError threw', fields: { errorName: 'TypeError' } });
    expect(JSON.stringify(logger.lines)).not.toContain('4111');
  });

  it('a logger may throw, too: no loop ends and no dispatch fails for it', async () => {
    const broken = () => {
      throw new Error('disk full');
    };
    const { sqs, transport, handled } = withHandler(
      async () => {
        if (handled.length === 1) throw new Error('no');
      },
      { logger: { debug: broken, info: broken, warn: broken, error: broken } },
    );
    sqs.put(RESULTS, 'no result');
    sqs.put(RESULTS, resultOf(0));
    await pass(5_000);
    expect(handled).toEqual(['run:0', 'run:0']);
    sqs.fault = (operation) => (operation === 'send' && sqs.callsOf('send').length === 1 ? transient() : undefined);
    const dispatched = transport.dispatch(taskFor());
    await pass(5_000);
    await expect(dispatched).resolves.toBeUndefined();
  });
});

describe('groupHealth', () => {
  it('tells the depth, and one worker that stands for Lambda', async () => {
    const { sqs, transport } = setUp();
    for (const seq of [0, 1, 2]) sqs.put(TASKS, taskFor({ seq }));
    await sqs.receiveMessages(FakeSqs.url(TASKS), { maxMessages: 1, waitTimeSeconds: 0 });
    expect(await transport.groupHealth('step')).toEqual({
      group: 'step',
      depth: 3,
      liveWorkers: [{ group: 'step', instanceId: 'aws-lambda', lastBeatAt: Date.now() }],
    });
  });

  it.each([{}, { autoCreate: true }])('tells of nothing and nobody where there is no such queue, and makes none: %o', async (options) => {
    const { sqs, transport } = setUp(options, new FakeSqs());
    expect(await transport.groupHealth('step')).toEqual({ group: 'step', depth: 0, liveWorkers: [] });
    expect(sqs.queueNames).toEqual([]);
  });

  it('leaves the engine its report of a group that another transport of the pool serves', async () => {
    const { transport } = setUp({ autoStart: false });
    const theirs = { group: 'elsewhere', depth: 1, liveWorkers: [{ group: 'elsewhere', instanceId: 'them', lastBeatAt: 1 }] };
    const other: Transport = {
      dispatch: async () => undefined,
      onResult: () => undefined,
      onHeartbeat: () => undefined,
      groupHealth: async (group) => (group === 'elsewhere' ? theirs : { group, depth: 0, liveWorkers: [] }),
    };
    const transports = [
      { id: 'sqs', transport },
      { id: 'other', transport: other },
    ];
    const engine = new WorkflowEngine({ store: new InMemoryStateStore(), transports });
    const [health] = await engine.workerHealth(['elsewhere']);
    expect(health).toMatchObject(theirs);
  });

  it.each([
    ['throttled', transient('RequestThrottled')],
    ['denied', definite('AccessDenied')],
  ])('%s: keeps the depth that was known last, and a line says why', async (_why, error) => {
    const { sqs, transport, logger } = setUp();
    sqs.put(TASKS, taskFor());
    const before = await transport.groupHealth('step');
    sqs.put(TASKS, taskFor({ seq: 1 }));
    sqs.fault = (operation) => (operation === 'attributes' ? error : undefined);
    for (let asked = 0; asked < 3; asked += 1) {
      const health = transport.groupHealth('step');
      await pass(10_000);
      expect(await health).toMatchObject({ ...before, liveWorkers: [{ instanceId: 'aws-lambda' }] });
    }
    expect(logger.lines).toMatchObject([
      { level: 'warn', message: 'the depth of a tasks queue is not known', fields: { group: 'step', errorName: 'SqsRequestError' } },
    ]);
    sqs.fault = () => undefined;
    expect(await transport.groupHealth('step')).toMatchObject({ depth: 2 });
    sqs.fault = (operation) => (operation === 'attributes' ? error : undefined);
    void transport.groupHealth('step');
    await pass(10_000);
    expect(logger.lines).toHaveLength(2);
  });

  it('tells of nothing and nobody where not even the queue can be looked up, and a line says why', async () => {
    const { sqs, transport, logger } = setUp();
    sqs.fault = (operation) => (operation === 'find' ? transient('ServiceUnavailable') : undefined);
    const health = transport.groupHealth('step');
    await pass(10_000);
    expect(await health).toEqual({ group: 'step', depth: 0, liveWorkers: [] });
    expect(logger.lines).toHaveLength(1);
  });

  it('leaves the engine its report where SQS denies', async () => {
    const { sqs, transport } = setUp({ autoStart: false });
    sqs.fault = (operation) => (operation === 'attributes' ? definite('AccessDenied') : undefined);
    const engine = new WorkflowEngine({ store: new InMemoryStateStore(), transport });
    expect(await engine.workerHealth(['step', 'other'])).toMatchObject([
      { group: 'step', depth: 0 },
      { group: 'other', depth: 0 },
    ]);
  });

  it('finds a queue that was made anew', async () => {
    const urls = [FakeSqs.url('old'), FakeSqs.url('new')];
    const sqs = new FakeSqs('new');
    const { transport } = setUp({ taskQueueUrl: () => urls.shift() ?? '' }, sqs);
    expect(await transport.groupHealth('step')).toMatchObject({ liveWorkers: [] });
    expect(await transport.groupHealth('step')).toMatchObject({ depth: 0, liveWorkers: [{ instanceId: 'aws-lambda' }] });
  });

  it('the transport has no method that would promise more', () => {
    const { transport } = setUp();
    expect(transport).not.toHaveProperty('listWorkerGroups');
    expect(transport).not.toHaveProperty('readWorkerDescriptors');
  });
});

describe('close', () => {
  it('stops receiving, lets what is with the engine finish, and that may dispatch', async () => {
    const turn = deferred<void>();
    const { sqs, transport, handled } = withHandler(async () => {
      await turn.promise;
      await transport.dispatch(taskFor({ seq: 1 }));
    });
    sqs.put(RESULTS, resultOf(0));
    await pass();
    let closed = false;
    const closing = transport.close().then(() => {
      closed = true;
    });
    await pass(1_000);
    sqs.put(RESULTS, resultOf(5, 'other'));
    await pass(1_000);
    expect(closed).toBe(false);
    turn.resolve();
    await pass();
    await closing;
    expect(handled).toEqual(['run:0']);
    expect(sqs.messages(TASKS)).toHaveLength(1);
    expect(sqs.bodies(RESULTS)).toEqual([resultOf(5, 'other')]);
    // What is remembered of the dispatch, for as long as it matters.
    await pass(250);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('has what was held redelivered at once', async () => {
    const { sqs, transport, handled } = withHandler();
    const engine = fakeEngine();
    transport.attach(engine);
    engine.emit('run.started');
    sqs.put(RESULTS, resultOf(0));
    await pass(1_000);
    await ended(transport.close());
    expect(handled).toEqual([]);
    expect(sqs.visibilities).toEqual([0]);
    expect(sqs.messages(RESULTS)[0]?.visibleAt).toBe(Date.now());
    expect(vi.getTimerCount()).toBe(0);
  });

  it('lets a step finish that a handler runs, and sends its result', async () => {
    const step = deferred<string>();
    const { sqs, transport } = setUp();
    transport.handle('step', () => step.promise);
    sqs.put(TASKS, taskFor());
    await pass();
    const closing = transport.close();
    await pass(5_000);
    step.resolve('done');
    await pass();
    await closing;
    expect(sqs.bodies(RESULTS)).toEqual([expect.objectContaining({ output: 'done' })]);
    expect(sqs.messages(TASKS)).toEqual([]);
  });

  it('waits for sends that are on their way', async () => {
    const { sqs, transport } = setUp();
    const answer = deferred<void>();
    const send = sqs.sendMessages.bind(sqs);
    sqs.sendMessages = async (...args) => {
      await answer.promise;
      return send(...args);
    };
    const dispatched = transport.dispatch(taskFor());
    await pass();
    const closing = transport.close();
    await pass(1_000);
    expect(await stateOf(closing)).toBe('pending');
    answer.resolve();
    await pass();
    await closing;
    await expect(dispatched).resolves.toBeUndefined();
  });

  describe('dispatches that have not reached the sender', () => {
    /** A transport whose dispatch stands still until `go`. */
    const standingStill: [string, (sqs: FakeSqs, until: Promise<void>) => SqsTransportOptions][] = [
      [
        'throttled',
        (sqs, until) => {
          let isThrottled = true;
          void until.then(() => {
            isThrottled = false;
          });
          sqs.fault = (operation) => (operation === 'send' && isThrottled ? transient('RequestThrottled') : undefined);
          return {};
        },
      ],
      [
        'queue being looked up',
        (_sqs, until) => ({
          taskQueueUrl: async () => {
            await until;
            return FakeSqs.url(TASKS);
          },
        }),
      ],
      [
        'body on its way into the payload store',
        (_sqs, until) => {
          const payloadStore = new MemoryPayloads();
          const put = payloadStore.put.bind(payloadStore);
          payloadStore.put = async (...args) => {
            await until;
            return put(...args);
          };
          return { payloadStore };
        },
      ],
    ];

    it.each(standingStill)('%s: are waited for', async (_why, standStill) => {
      const go = deferred<void>();
      const sqs = new FakeSqs(TASKS, RESULTS);
      const { transport, logger } = setUp(standStill(sqs, go.promise), sqs);
      const dispatched = transport.dispatch(taskFor({ input: 'x'.repeat(600) }));
      await pass(1_000);
      const closing = transport.close();
      await pass(1_000);
      expect([await stateOf(closing), sqs.messages(TASKS).length]).toEqual(['pending', 0]);
      go.resolve();
      await pass(5_000);
      await closing;
      expect(sqs.messages(TASKS)).toHaveLength(1);
      await expect(dispatched).resolves.toBeUndefined();
      expect(logger.lines.filter(({ message }) => message.startsWith('closed'))).toEqual([]);
    });

    it.each(standingStill)(
      '%s: are given up when the time is over, and counted; they go on as long as the process',
      async (_why, standStill) => {
        const go = deferred<void>();
        const sqs = new FakeSqs(TASKS, RESULTS);
        const { transport, logger } = setUp(standStill(sqs, go.promise), sqs);
        const dispatched = [0, 1].map((seq) => transport.dispatch(taskFor({ seq, input: 'x'.repeat(600) })));
        await pass(100);
        const closing = transport.close({ timeoutMs: 2_000 });
        await pass(2_000);
        await closing;
        expect(logger.lines).toContainEqual({
          level: 'warn',
          message:
            'closed before everything was finished: dispatches under way end with the process, messages in flight will be redelivered',
          fields: { timeoutMs: 2_000, dispatches: 2 },
        });
        go.resolve();
        await pass(10_000);
        await Promise.all(dispatched);
        expect(sqs.messages(TASKS)).toHaveLength(2);
      },
    );

    it('begun while closing are waited for', async () => {
      const { sqs, transport } = setUp();
      sqs.fault = (operation) => (operation === 'send' && Date.now() < 1_003_000 ? transient() : undefined);
      void transport.dispatch(taskFor({ seq: 0 }));
      let sentAtClose = 0;
      const closing = transport.close().then(() => {
        sentAtClose = sqs.messages(TASKS).length;
      });
      await pass(1_000);
      void transport.dispatch(taskFor({ seq: 1 }));
      await pass(10_000);
      await closing;
      expect(sentAtClose).toBe(2);
    });

    it('refused ones do not hold up close', async () => {
      const { sqs, transport } = setUp();
      sqs.fault = (operation) => (operation === 'send' ? definite() : undefined);
      const dispatched = transport.dispatch(taskFor());
      const closing = transport.close();
      await expect(dispatched).rejects.toThrow('AccessDenied');
      await pass();
      await closing;
    });
  });

  it.each([
    [undefined, 15_000],
    [{ timeoutMs: 2_000 }, 2_000],
    [{ timeoutMs: 0 }, 0],
  ])('%o takes %i ms at most; what is not finished then is hidden no longer', async (options, boundMs) => {
    const { sqs, transport, logger } = withHandler(() => new Promise(() => undefined));
    transport.handle('step', () => new Promise(() => undefined));
    sqs.put(RESULTS, resultOf(0));
    sqs.put(TASKS, taskFor());
    await pass();
    const startedAt = Date.now();
    let closedAt = 0;
    void transport.close(options).then(() => {
      closedAt = Date.now();
    });
    await pass(boundMs + 1);
    expect(closedAt - startedAt).toBeGreaterThanOrEqual(boundMs);
    expect(closedAt - startedAt).toBeLessThanOrEqual(boundMs + 1);
    expect(logger.lines).toContainEqual({
      level: 'warn',
      message: 'closed before everything was finished: dispatches under way end with the process, messages in flight will be redelivered',
      fields: { timeoutMs: boundMs, dispatches: 0 },
    });
    await pass(120_000);
    for (const queue of [RESULTS, TASKS]) expect(sqs.messages(queue)[0]?.visibleAt).toBeLessThan(Date.now());
    expect(vi.getTimerCount()).toBe(0);
  });

  it('comes once, however often it is called', async () => {
    const { transport } = withHandler();
    await pass();
    const first = transport.close();
    expect(transport.close()).toBe(first);
    await ended(first);
    await ended(transport.close());
  });

  it('ends at once where nothing was started', async () => {
    const { sqs, transport } = withHandler();
    await ended(transport.close());
    await pass(1_000);
    expect(sqs.calls).toEqual([]);
    await expect(setUp().transport.close()).resolves.toBeUndefined();
  });

  it('a task is still sent afterwards: a refusal would fail its run for good', async () => {
    const { sqs, transport } = setUp();
    transport.attach(fakeEngine());
    await ended(transport.close());
    await transport.dispatch(taskFor());
    expect(sqs.messages(TASKS)).toHaveLength(1);
    await pass(250);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('leaves a client that was given to its owner', async () => {
    const sqs = new FakeSqs(TASKS);
    const client = sqs.client();
    const destroy = vi.spyOn(client, 'destroy');
    const { transport } = setUp({ client }, sqs);
    await ended(transport.close());
    expect(destroy).not.toHaveBeenCalled();
  });
});

describe('a transport that was closed', () => {
  const QUEUES = ['durable-tasks-a', RESULTS] as const;

  /** An engine on the transport, with a workflow of one step. */
  function engineOn(transport: SqsTransport) {
    const engine = new WorkflowEngine({ store: new InMemoryStateStore(), transport });
    transport.attach(engine);
    engine.register('workflow', '1', async (ctx) => ctx.step('a', 1));
    return engine;
  }

  /** Answers the tasks that are there, as their worker. */
  function answer(sqs: FakeSqs) {
    for (const { body } of sqs.messages('durable-tasks-a')) {
      const { runId, seq, stepId }: RemoteTask = JSON.parse(body);
      sqs.put(RESULTS, { runId, seq, stepId, status: 'completed', output: runId });
    }
    sqs.removeQueue('durable-tasks-a');
    sqs.addQueue('durable-tasks-a');
  }

  it.each<[string, SqsTransportOptions]>([
    ['receives by itself', {}],
    ['receives from start() on', { autoStart: false }],
  ])('serves the next engine, and %s', async (_how, options) => {
    const sqs = new FakeSqs(...QUEUES);
    const { transport } = setUp(options, sqs);
    for (const name of ['first', 'second', 'third']) {
      const engine = engineOn(transport);
      await pass();
      expect(sqs.callsOf('receive')).toHaveLength(options.autoStart === false ? 0 : 1);
      transport.start();
      await engine.start('workflow', {}, name);
      await pass();
      answer(sqs);
      await pass(1_000);
      expect(await engine.getRun(name)).toMatchObject({ status: 'completed', output: name });
      await ended(transport.close());
      sqs.calls.splice(0);
    }
    expect(sqs.messages(RESULTS)).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('closes anew for the next engine', async () => {
    const { transport } = setUp({}, new FakeSqs(...QUEUES));
    engineOn(transport);
    const first = transport.close();
    await ended(first);
    engineOn(transport);
    const second = transport.close();
    expect(second).not.toBe(first);
    await ended(second);
  });

  it('serves the next engine, too, while it still waits for the last turn of the one before', async () => {
    const sqs = new FakeSqs(RESULTS);
    const { transport } = setUp({}, sqs);
    const turn = deferred<void>();
    transport.onResult(() => turn.promise);
    sqs.put(RESULTS, resultOf(0));
    await pass();
    const closing = transport.close();
    await pass(1_000);
    const handled: string[] = [];
    transport.onResult(async ({ stepId }) => void handled.push(stepId));
    sqs.put(RESULTS, resultOf(1));
    await pass(1_000);
    expect([handled, await stateOf(closing)]).toEqual([['run:1'], 'pending']);
    turn.resolve();
    await pass(1_000);
    await closing;
    sqs.put(RESULTS, resultOf(2));
    await pass(1_000);
    expect(handled).toEqual(['run:1', 'run:2']);
    await ended(transport.close());
  });

  it('has nothing left of the steps that it served', async () => {
    const sqs = new FakeSqs(TASKS, 'durable-tasks-other', RESULTS);
    const { transport } = setUp({}, sqs);
    transport.handle('step', () => 'first');
    transport.handle('other', () => 'first');
    await pass();
    await ended(transport.close());
    transport.handle('step', () => 'second');
    sqs.put(TASKS, taskFor());
    sqs.put('durable-tasks-other', taskFor({ name: 'other' }));
    await pass(1_000);
    expect(sqs.bodies(RESULTS)).toEqual([expect.objectContaining({ output: 'second' })]);
    expect(sqs.messages('durable-tasks-other')).toHaveLength(1);
    await ended(transport.close());
  });

  it('keeps no engine attached', async () => {
    const { transport } = setUp();
    const [first, second] = [fakeEngine(), fakeEngine()];
    transport.attach(first);
    await ended(transport.close());
    transport.attach(second);
    expect([first.listeners.size, second.listeners.size]).toEqual([0, 1]);
    await ended(transport.close());
    expect(second.listeners.size).toBe(0);
  });
});

describe('a result that was rejected after its checkpoint was saved', () => {
  /** An engine's handler that rejects what it is given first. */
  function rejectingTheFirst() {
    const all = withHandler(async () => {
      if (all.handled.length === 1) throw new Error('store is down');
    });
    return all;
  }

  it.each([
    ['suspended', true],
    ['running', true],
    ['completed', false],
    ['failed', false],
    ['cancelled', false],
  ] as const)('attached: a run that is %s is resumed when it is taken again: %s', async (status, resumed) => {
    const resume = vi.fn(async () => engine.emit('run.suspended'));
    const engine = fakeEngine({ getRun: async () => ({ status }), resume });
    const { sqs, transport, handled } = rejectingTheFirst();
    transport.attach(engine);
    sqs.put(RESULTS, resultOf(0));
    await pass(5_000);
    expect(handled).toHaveLength(2);
    expect(resume.mock.calls).toEqual(resumed ? [['run']] : []);
  });

  it('leaves a run alone that is gone', async () => {
    const { sqs, transport } = rejectingTheFirst();
    transport.attach(fakeEngine({ getRun: async () => null, resume: async () => expect.unreachable() }));
    sqs.put(RESULTS, resultOf(0));
    await pass(5_000);
    expect(sqs.messages(RESULTS)).toEqual([]);
  });

  it('has the result redelivered where the run cannot be resumed', async () => {
    const resume = vi.fn(async () => {
      if (resume.mock.calls.length === 1) throw new Error('store is down');
      engine.emit('run.suspended');
    });
    const engine = fakeEngine({ getRun: async () => ({ status: 'suspended' }), resume });
    const { sqs, transport } = rejectingTheFirst();
    transport.attach(engine);
    sqs.put(RESULTS, resultOf(0));
    await pass(1_100);
    expect(resume).toHaveBeenCalledTimes(1);
    expect(sqs.messages(RESULTS)).toHaveLength(1);
    await pass(5_000);
    expect(resume).toHaveBeenCalledTimes(2);
    expect(sqs.messages(RESULTS)).toEqual([]);
  });

  it('has the result redelivered where the run is for another namespace to continue', async () => {
    const resume = vi.fn(async () => {
      throw new Error('namespace-mismatch');
    });
    const { sqs, transport } = rejectingTheFirst();
    transport.attach(fakeEngine({ getRun: async () => ({ status: 'suspended', namespace: 'beta' }), resume }));
    sqs.put(RESULTS, resultOf(0));
    await pass(5_000);
    expect(resume).toHaveBeenCalledTimes(1);
    expect(sqs.messages(RESULTS)).toHaveLength(1);
    expect(sqs.visibilities.slice(0, 5)).toEqual([1, 0, 0, 1, 2]);
  });

  it('lets the run of a real engine go on at once: it does not sleep for five minutes', async () => {
    const store = new (class extends InMemoryStateStore {
      failures = 0;
      override async updateRun(...args: Parameters<InMemoryStateStore['updateRun']>): Promise<void> {
        if (args[1].status === 'suspended' && this.failures > 0) {
          this.failures -= 1;
          throw new Error('store is down');
        }
        return super.updateRun(...args);
      }
    })();
    const { sqs, transport } = setUp({}, new FakeSqs('durable-tasks-a', 'durable-tasks-b', RESULTS));
    const engine = new WorkflowEngine({ store, transport });
    transport.attach(engine);
    engine.register('workflow', '1', async (ctx) => [await ctx.step('a', 1), await ctx.step('b', 2)]);
    await engine.start('workflow', {}, 'run');
    await pass();
    const sent = (queue: string): RemoteTask => JSON.parse(sqs.messages(queue)[0]?.body ?? '');
    const answer = (task: RemoteTask) =>
      sqs.put(RESULTS, { runId: task.runId, seq: task.seq, stepId: task.stepId, status: 'completed', output: task.name });
    store.failures = 1;
    await toleratingUnhandledRejections(async () => {
      answer(sent('durable-tasks-a'));
      await pass();
    });
    expect(await store.getRun('run')).toMatchObject({ status: 'suspended' });
    // Its second step was dispatched, but that turn's end was never written; the result of the first comes again.
    await pass(2_000);
    answer(sent('durable-tasks-b'));
    await pass(2_000);
    expect(await store.getRun('run')).toMatchObject({ status: 'completed', output: ['a', 'b'] });
    expect(sqs.messages(RESULTS)).toEqual([]);
    await ended(transport.close());
  });

  it('lets the run of a real engine go on, too, where the turn failed before it dispatched anything', async () => {
    const store = new (class extends InMemoryStateStore {
      failing = false;
      override async listCheckpoints(...args: Parameters<InMemoryStateStore['listCheckpoints']>) {
        if (this.failing) throw new Error('store is down');
        return super.listCheckpoints(...args);
      }
    })();
    const { sqs, transport } = setUp({}, new FakeSqs('durable-tasks-a', RESULTS));
    const engine = new WorkflowEngine({ store, transport });
    transport.attach(engine);
    engine.register('workflow', '1', async (ctx) => ctx.step('a', 1));
    await engine.start('workflow', {}, 'run');
    await pass();
    store.failing = true;
    await toleratingUnhandledRejections(async () => {
      sqs.put(RESULTS, {
        runId: 'run',
        seq: 0,
        stepId: (await store.getCheckpoint('run', 0))?.stepId ?? '',
        status: 'completed',
        output: 7,
      });
      await pass();
    });
    store.failing = false;
    await pass(2_000);
    expect(await store.getRun('run')).toMatchObject({ status: 'completed', output: 7 });
    await ended(transport.close());
  });
});

describe('attach with poll', () => {
  it('runs the passes of the engine: a retry comes due, and a run of an instance that died is begun', async () => {
    const store = new InMemoryStateStore();
    const sqs = new FakeSqs('durable-tasks-a', RESULTS);
    const { transport } = setUp({}, sqs);
    const engine = new WorkflowEngine({ store, transport, runDispatcher: { dispatch: () => undefined } });
    transport.attach(engine, { poll: true });
    engine.register('workflow', '1', async (ctx) => {
      await ctx.sleep(2_000);
      return ctx.step('a', 1);
    });
    await engine.start('workflow', {}, 'run');
    await pass(1_500);
    expect(await store.getRun('run')).toMatchObject({ status: 'suspended' });
    await pass(4_000);
    expect(sqs.messages('durable-tasks-a')).toHaveLength(1);
    await ended(transport.close());
    expect((await store.getRun('durable-sqs-lambda:passes'))?.lockedUntil).toBeUndefined();
  });

  it('refuses an engine without passes, and an option that is none', () => {
    const { transport } = setUp();
    expect(() => transport.attach(fakeEngine(), { poll: true })).toThrow('runPending');
    // @ts-expect-error no such option
    expect(() => transport.attach(fakeEngine(), { pol: true })).toThrow('pol');
  });
});

describe('results of a turn whose end was never written', () => {
  it('reach a real engine at once, which dispatches the next step once', async () => {
    const store = new (class extends InMemoryStateStore {
      failing = true;
      override async updateRun(...args: Parameters<InMemoryStateStore['updateRun']>): Promise<void> {
        if (args[1].status === 'suspended' && this.failing) throw new Error('store is down');
        return super.updateRun(...args);
      }
      // As slow as a database: turns that begin within its time know nothing of each other.
      override async saveCheckpoint(...args: Parameters<InMemoryStateStore['saveCheckpoint']>) {
        await sleep(20 + args[0].seq);
        return super.saveCheckpoint(...args);
      }
      override async listCheckpoints(runId: string) {
        await sleep(10);
        return super.listCheckpoints(runId);
      }
    })();
    const { sqs, transport } = setUp({}, new FakeSqs('durable-tasks-a', 'durable-tasks-b', RESULTS));
    const engine = new WorkflowEngine({ store, transport });
    transport.attach(engine);
    engine.register('workflow', '1', async (ctx) => {
      await Promise.all([1, 2, 3, 4].map((input) => ctx.step('a', input)));
      return ctx.step('b', 5);
    });
    await toleratingUnhandledRejections(async () => {
      engine.start('workflow', {}, 'run').catch(() => undefined);
      await pass(100);
    });
    store.failing = false;
    for (const { body } of sqs.messages('durable-tasks-a')) {
      const { runId, seq, stepId }: RemoteTask = JSON.parse(body);
      sqs.put(RESULTS, { runId, seq, stepId, status: 'completed', output: seq });
    }
    await pass(5_000);
    expect(sqs.messages('durable-tasks-b')).toHaveLength(1);
    expect(sqs.messages(RESULTS)).toEqual([]);
    await ended(transport.close());
  });
});

describe('a result of which no turn came, since another instance is in a turn of the run', () => {
  /** An engine that settles the step of each result, and finds the run locked so many times. */
  function lockedRun(locked: number, status: WorkflowRun['status'] = 'suspended') {
    const resumes: number[] = [];
    const tries = { left: locked };
    const engine = fakeEngine({
      getRun: async () => ({ status }),
      resume: async () => {
        resumes.push(Date.now());
        turn();
      },
    });
    const turn = () => {
      if (tries.left === 0) engine.emit('run.suspended');
      else tries.left -= 1;
    };
    const all = withHandler(async ({ seq }) => {
      engine.emit('step.completed', { seq, kind: 'remote' });
      turn();
    });
    all.transport.attach(engine);
    return { ...all, engine, resumes };
  }

  it('has the run resumed until a turn came of it; only then is it deleted, and the next one given to the engine', async () => {
    const { sqs, handled, resumes, logger } = lockedRun(6);
    sqs.put(RESULTS, resultOf(0));
    sqs.put(RESULTS, resultOf(1));
    await pass();
    expect(handled).toEqual(['run:0']);
    expect(sqs.messages(RESULTS)).toHaveLength(2);
    // The first time without a delay: the other instance's turn has mostly ended by then.
    expect(resumes).toEqual([Date.now()]);
    await pass(2_000);
    expect(resumes).toHaveLength(6);
    expect(handled).toEqual(['run:0', 'run:1']);
    expect(sqs.messages(RESULTS)).toEqual([]);
    expect(logger.lines).toEqual([]);
  });

  it('resumes no run whose turn came', async () => {
    const { sqs, resumes } = lockedRun(0);
    sqs.put(RESULTS, resultOf(0));
    await pass(2_000);
    expect(resumes).toEqual([]);
    expect(sqs.messages(RESULTS)).toEqual([]);
  });

  it('resumes no run for a duplicate, of which no turn can come', async () => {
    const { sqs, resumes, engine, transport } = lockedRun(100);
    expect(engine.listeners.size).toBe(1);
    await ended(transport.close());
    const duplicates = withHandler();
    duplicates.transport.attach(engine);
    duplicates.sqs.put(RESULTS, resultOf(0));
    await pass(2_000);
    expect(resumes).toEqual([]);
    expect(duplicates.sqs.messages(RESULTS)).toEqual([]);
    expect(sqs.messages(RESULTS)).toEqual([]);
  });

  it('resumes no run that has ended', async () => {
    const { sqs, resumes } = lockedRun(100, 'cancelled');
    sqs.put(RESULTS, resultOf(0));
    await pass(2_000);
    expect(resumes).toEqual([]);
    expect(sqs.messages(RESULTS)).toEqual([]);
  });

  it('has the result redelivered after a minute', async () => {
    const { sqs, resumes, logger } = lockedRun(100);
    sqs.put(RESULTS, resultOf(0));
    await pass(70_000);
    expect(resumes.length).toBeGreaterThan(30);
    expect(sqs.messages(RESULTS)[0]?.receiveCount).toBe(2);
    expect(logger.lines).toMatchObject([{ message: 'the engine rejected a result; it will be redelivered' }]);
    await pass(120_000);
    expect(sqs.messages(RESULTS)).toEqual([]);
  });
});

describe('two instances of the real engine over one store', () => {
  it('the one that gets a result while the other is in the turn that dispatched its step continues the run all the same', async () => {
    const store = new InMemoryStateStore();
    const sqs = new FakeSqs('durable-tasks-a', RESULTS);
    const [first, second] = [0, 1].map(() => {
      // The first one never receives: all results are the second one's.
      const { transport } = setUp({ autoStart: false }, sqs);
      const engine = new WorkflowEngine({ store, transport });
      transport.attach(engine);
      engine.register('workflow', '1', (ctx) => ctx.step('a', 1));
      return { engine, transport };
    });
    second?.transport.start();
    const answer = deferred<void>();
    const send = sqs.sendMessages.bind(sqs);
    sqs.sendMessages = async (...args) => {
      const outcomes = await send(...args);
      await answer.promise;
      return outcomes;
    };
    await first?.engine.start('workflow', {}, 'run');
    await pass();
    const task: RemoteTask = JSON.parse(sqs.messages('durable-tasks-a')[0]?.body ?? '');
    sqs.put(RESULTS, { runId: 'run', seq: 0, stepId: task.stepId, status: 'completed', output: 7 });
    await pass(1_000);
    expect(await store.getRun('run')).toMatchObject({ status: 'running' });
    expect(sqs.messages(RESULTS)).toHaveLength(1);
    answer.resolve();
    await pass(3_000);
    expect(await store.getRun('run')).toMatchObject({ status: 'completed', output: 7 });
    expect(sqs.messages(RESULTS)).toEqual([]);
    await ended(Promise.all([first?.transport.close(), second?.transport.close()]));
  });

  it('the one that is given a result again with which the other has died continues the run', async () => {
    const store = new InMemoryStateStore();
    const sqs = new FakeSqs('durable-tasks-a', RESULTS);
    const { transport } = setUp({}, sqs);
    const engine = new WorkflowEngine({ store, transport });
    transport.attach(engine);
    engine.register('workflow', '1', (ctx) => ctx.step('a', 1));
    await engine.start('workflow', {}, 'run');
    await pass();
    // It was received and saved, and then the process ended.
    const checkpoint = await store.getCheckpoint('run', 0);
    if (checkpoint === null || checkpoint === undefined) throw new Error('expected a checkpoint');
    await store.saveCheckpoint({ ...checkpoint, status: 'completed', output: 7 });
    const result = { runId: 'run', seq: 0, stepId: checkpoint.stepId, status: 'completed', output: 7 };
    sqs.put(RESULTS, result, {}, 1);
    await pass(1_000);
    expect(await store.getRun('run')).toMatchObject({ status: 'completed', output: 7 });
    await ended(transport.close());
  });

  it('the one that is given a result in whose turn the other has died continues the run once its lock is free', async () => {
    const store = new InMemoryStateStore();
    const sqs = new FakeSqs('durable-tasks-a', RESULTS);
    const { transport } = setUp({}, sqs);
    const engine = new WorkflowEngine({ store, transport });
    transport.attach(engine);
    engine.register('workflow', '1', (ctx) => ctx.step('a', 1));
    await engine.start('workflow', {}, 'run');
    await pass();
    const task: RemoteTask = JSON.parse(sqs.messages('durable-tasks-a')[0]?.body ?? '');
    await store.tryLockRun('run', 'dead-instance', Date.now() + 30_000, Date.now());
    sqs.put(RESULTS, { runId: 'run', seq: 0, stepId: task.stepId, status: 'completed', output: 7 });
    await pass(29_000);
    expect(await store.getRun('run')).toMatchObject({ status: 'suspended' });
    await pass(4_000);
    expect(await store.getRun('run')).toMatchObject({ status: 'completed', output: 7 });
    await ended(transport.close());
  });

  it('copies of a result that a continued turn awaits in memory begin no second turn beside it', async () => {
    const store = new InMemoryStateStore();
    const sqs = new FakeSqs('durable-tasks-a', RESULTS);
    const dying = mortal(store);
    const [first, second] = [dying.store, store].map((seen) => {
      const { transport } = setUp({ autoStart: seen === store }, sqs);
      const engine = new WorkflowEngine({ store: seen, transport, leaseMs: 1_000 });
      transport.attach(engine);
      engine.register('workflow', '1', async (ctx) => [
        await ctx.step('a', 0, { timeoutMs: 60_000 }),
        await ctx.step('a', 1, { timeoutMs: 60_000 }),
      ]);
      return { engine, transport };
    });
    void first?.engine.start('workflow', {}, 'run');
    await pass();
    dying.end();
    const seqs = () => sqs.bodies('durable-tasks-a').map((task) => (isRecord(task) ? task['seq'] : undefined));
    const result = (seq: number) => ({ runId: 'run', seq, stepId: `run:${seq}`, status: 'completed', output: seq });
    // The first one has received it before.
    sqs.put(RESULTS, result(0), {}, 1);
    await pass(3_000);
    expect(seqs()).toEqual([0, 0]);
    sqs.put(RESULTS, result(0));
    sqs.put(RESULTS, result(0));
    await pass(1_000);
    expect(seqs()).toEqual([0, 0, 1]);
    sqs.put(RESULTS, result(1));
    await pass(1_000);
    expect(await store.getRun('run')).toMatchObject({ status: 'completed', output: [0, 1] });
    await ended(Promise.all([first?.transport.close({ timeoutMs: 0 }), second?.transport.close()]));
  });
});

describe('FIFO queues', () => {
  const FIFO_QUEUES = ['durable-tasks-step.fifo', 'durable-results.fifo'] as const;

  it('carry a task out and its result home, in the group of the run', async () => {
    const sqs = new FakeSqs(...FIFO_QUEUES);
    const { transport } = setUp({ client: sqs.client(), fifo: true }, sqs);
    transport.attach(fakeEngine());
    const handled: StepResult[] = [];
    transport.onResult(async (result) => void handled.push(result));
    transport.handle('step', (input: unknown) => ({ got: input }));
    await transport.dispatch(taskFor({ input: 1 }));
    await pass(1_000);
    expect(handled).toMatchObject([{ stepId: 'run:0', status: 'completed', output: { got: 1 } }]);
    expect(sqs.callsOf('send').flatMap(({ messages = [] }) => messages.map(({ groupId }) => groupId))).toEqual(['run', 'run']);
    await ended(transport.close());
  });

  it.each([
    [{ fifo: { results: true } }, true],
    [{ resultsQueueUrl: FakeSqs.url('durable-results.fifo') }, true],
    [{}, false],
  ])('a transport that is not attached warns of steps that are awaited in memory (%o: %s)', async (options, warns) => {
    const sqs = new FakeSqs(...FIFO_QUEUES, TASKS, RESULTS);
    const { transport, logger } = setUp({ client: sqs.client(), ...options }, sqs);
    transport.onResult(async () => undefined);
    await pass();
    expect(logger.lines.map(({ message }) => message.includes('attach(engine)'))).toEqual(warns ? [true] : []);
    await ended(transport.close());
  });
});
