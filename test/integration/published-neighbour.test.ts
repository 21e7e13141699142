import { randomUUID } from 'node:crypto';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import {
  InMemoryStateStore,
  RemoteStepError,
  type StepDispatchOpts,
  type StepResult,
  type Transport,
  WorkflowEngine,
} from '@dudousxd/nestjs-durable-core';
import { type SqsTransportOptions as PublishedOptions, SqsTransport as PublishedTransport } from '@dudousxd/nestjs-durable-transport-sqs';
import { afterAll, beforeAll, describe, expect, it, type TestContext, vi } from 'vitest';
import { sqsStepHandler } from '../../src/lambda/index.ts';
import { LocalEventSourceMapping, startLocalSqs } from '../../src/local/index.ts';
import { resultsQueueName, tasksQueueName } from '../../src/topology/queue-names.ts';
import { SqsTransport, type SqsTransportOptions } from '../../src/transport/index.ts';
import { capturingLogger } from '../support/capturing-logger.ts';
import { startTestSqs, type TestSqs } from '../support/sqs-server.ts';
import { createQueue, depth, until } from './local/queues.ts';

vi.setConfig({ testTimeout: 40_000 });

let sqs: TestSqs;
let client: SQSClient;

beforeAll(async () => {
  sqs = await startTestSqs();
  client = new SQSClient(sqs.clientConfig);
});

afterAll(async () => {
  client.destroy();
  await sqs.stop();
});

/** The published name of a tasks queue; with a dot in it AWS refuses the queue, the emulator does not. */
const publishedTasksQueueName = (token: string, prefix: string) => `${prefix}-tasks-${token}`;

/** A name that AWS takes as it is: both sides build the same queue name from it. */
const ECHO = 'py_echo';

/**
 * Makes what one test needs, and closes it when the test is over. Tests here run at the same time: hence its own
 * context.
 */
function neighbourhood({ onTestFinished }: TestContext, marker?: string, server = client) {
  // Every test has queues of its own: an aborted long poll of the emulator takes the next message with it.
  const prefix = `neighbour-${randomUUID().slice(0, 8)}`;
  const common = { client: server, waitTimeSeconds: 1, prefix, ...(marker === undefined ? {} : { marker }) };

  return {
    prefix,

    /**
     * Queues of one step, made before anybody asks: the published worker ends its process where its queue is missing.
     */
    async queues(tasksQueue = tasksQueueName(ECHO, prefix)) {
      const [tasksQueueUrl, resultsQueueUrl] = await Promise.all([
        createQueue(server, { name: tasksQueue }),
        createQueue(server, { name: resultsQueueName(prefix) }),
      ]);
      return { tasksQueueUrl, resultsQueueUrl };
    },

    published(options: PublishedOptions = {}): PublishedTransport {
      const transport = new PublishedTransport({ ...common, ...options });
      onTestFinished(() => transport.close());
      return transport;
    },

    ours(options: SqsTransportOptions = {}): SqsTransport {
      const transport = new SqsTransport({ ...common, logger: capturingLogger(), ...options });
      onTestFinished(() => transport.close());
      return transport;
    },

    /** Our Lambda handler behind an event source mapping. */
    lambda(step: string, queueUrl: string, run: (input: unknown, attempt: number) => unknown): void {
      const logger = capturingLogger();
      const { waitTimeSeconds, ...options } = common;
      const handler = sqsStepHandler(step, (input: unknown, { task }) => run(input, task.attempt), { ...options, logger });
      const mapping = new LocalEventSourceMapping({
        client: server,
        queueUrl,
        functionName: 'neighbour',
        handler,
        logger,
        waitTimeSeconds,
      });
      onTestFinished(() => mapping.stop());
      mapping.start();
    },

    engineOver(transport: Transport): Engine {
      const engine = new WorkflowEngine({ store: new InMemoryStateStore(), transport });
      if (transport instanceof SqsTransport) transport.attach(engine);
      // A bare engine has no timers: without this nothing is retried.
      const timers = setInterval(() => void engine.resumeDueTimers(), 20);
      onTestFinished(() => clearInterval(timers));
      return oneStepRuns(engine);
    },
  };
}

interface Engine {
  /** Runs one step to its run's end; the output is the step's, or its error. */
  run(runId: string, step: string, input?: unknown, options?: StepDispatchOpts): ReturnType<WorkflowEngine['waitForRun']>;
  /**
   * Resolves when the turn that dispatched the attempt has ended. A published engine takes a result whenever it comes,
   * and where that is too early the run sleeps for minutes: so workers that answer it wait for this.
   */
  turnEnded(runId: string, attempt: number): Promise<void>;
}

function oneStepRuns(engine: WorkflowEngine): Engine {
  const events = new Map<string, string[]>();
  engine.subscribe(({ type, runId }) => events.set(runId, [...(events.get(runId) ?? []), type]));
  return {
    async run(runId, step, input = {}, options = {}) {
      engine.register(`one-step-${runId}`, '1', async (ctx) => {
        try {
          return await ctx.step(step, input, options);
        } catch (error) {
          // Anything else is how the engine suspends a run.
          if (error instanceof RemoteStepError) return error.stepError;
          throw error;
        }
      });
      await engine.start(`one-step-${runId}`, {}, runId);
      return engine.waitForRun(runId, { until: 'terminal', timeoutMs: 15_000 });
    },
    turnEnded: (runId, attempt) =>
      until(() => {
        const seen = events.get(runId) ?? [];
        // A durable step says that it started once its task is with SQS.
        const dispatched = seen.flatMap((type, index) => (type === 'step.started' ? [index] : []))[attempt - 1];
        expect(seen.indexOf('run.suspended', dispatched ?? Number.POSITIVE_INFINITY)).toBeGreaterThan(-1);
      }),
  };
}

/** A failure that both sides know: two fields on an error. */
class StepError extends Error {
  readonly code: string;
  readonly retryable: boolean;
  constructor(message: string, code: string, retryable: boolean) {
    super(message);
    this.code = code;
    this.retryable = retryable;
  }
}

/**
 * An emulator as lax as those on which queues with a dot in their names exist: AWS, and every server of `startTestSqs`,
 * has none.
 */
async function laxServer({ onTestFinished }: TestContext): Promise<SQSClient> {
  const lax = await startLocalSqs();
  const laxClient = new SQSClient(lax.clientConfig);
  onTestFinished(async () => {
    laxClient.destroy();
    await lax.stop();
  });
  return laxClient;
}

const drained = (...queueUrls: string[]) =>
  until(async () => {
    for (const url of queueUrls) expect(await depth(client, url)).toBe(0);
  });

describe.concurrent.each([{ title: 'without a marker' }, { title: 'with a marker', marker: 'durable' }])(
  'workers and engines of both packages on the same queues, $title',
  ({ marker }) => {
    it('the published worker serves our engine', async (test) => {
      const n = neighbourhood(test, marker);
      const { tasksQueueUrl, resultsQueueUrl } = await n.queues();
      const engine = n.engineOver(n.ours());
      n.published({ group: ECHO }).handle(ECHO, async (input) => ({ by: 'published', input }));

      await expect(engine.run('r1', ECHO, { n: 1 })).resolves.toMatchObject({
        status: 'completed',
        output: { by: 'published', input: { n: 1 } },
      });
      await drained(tasksQueueUrl, resultsQueueUrl);
    });

    it('our Lambda handler serves the published engine', async (test) => {
      const n = neighbourhood(test, marker);
      const { tasksQueueUrl, resultsQueueUrl } = await n.queues();
      const engine = n.engineOver(n.published());
      const run = async (input: unknown, attempt: number) => {
        await engine.turnEnded('r1', attempt);
        return { by: 'lambda', input };
      };
      n.lambda(ECHO, tasksQueueUrl, run);

      await expect(engine.run('r1', ECHO, { n: 1 })).resolves.toMatchObject({
        status: 'completed',
        output: { by: 'lambda', input: { n: 1 } },
      });
      await drained(tasksQueueUrl, resultsQueueUrl);
    });

    it('our container worker serves the published engine', async (test) => {
      const n = neighbourhood(test, marker);
      const { tasksQueueUrl, resultsQueueUrl } = await n.queues();
      const engine = n.engineOver(n.published());
      n.ours({ group: ECHO }).handle(ECHO, async (input, { task }) => {
        await engine.turnEnded('r1', task.attempt);
        return { by: 'container', input };
      });

      await expect(engine.run('r1', ECHO, { n: 1 })).resolves.toMatchObject({
        status: 'completed',
        output: { by: 'container', input: { n: 1 } },
      });
      await drained(tasksQueueUrl, resultsQueueUrl);
    });

    it('all three workers share the tasks of 100 runs', async (test) => {
      const n = neighbourhood(test, marker);
      const { tasksQueueUrl, resultsQueueUrl } = await n.queues();
      const engine = n.engineOver(n.ours());

      // Nobody answers before all three have a task: none can take them all before another has woken up.
      const present = new Set<string>();
      const all = Promise.withResolvers<void>();
      const serve = async (by: string) => {
        present.add(by);
        if (present.size === 3) all.resolve();
        await all.promise;
        return by;
      };
      n.published({ group: ECHO }).handle(ECHO, () => serve('published'));
      n.ours({ group: ECHO }).handle(ECHO, () => serve('container'));
      n.lambda(ECHO, tasksQueueUrl, () => serve('lambda'));

      const runs = await Promise.all(Array.from({ length: 100 }, (_, index) => engine.run(`r${index}`, ECHO)));

      expect(runs.map(({ status }) => status)).toEqual(runs.map(() => 'completed'));
      expect(new Set(runs.map(({ output }) => output))).toEqual(new Set(['published', 'container', 'lambda']));
      await drained(tasksQueueUrl, resultsQueueUrl);
    });
  },
);

describe.concurrent('a message without the marker of both sides', () => {
  it('stays on the shared queues: both sides leave it alone', async (test) => {
    const n = neighbourhood(test);
    const { tasksQueueUrl, resultsQueueUrl } = await n.queues();
    await Promise.all(
      [tasksQueueUrl, resultsQueueUrl].map((QueueUrl) => client.send(new SendMessageCommand({ QueueUrl, MessageBody: 'not ours' }))),
    );
    const our = n.ours({ marker: 'durable', group: ECHO });
    const engine = n.engineOver(our);
    const theirs = n.published({ marker: 'durable', group: ECHO });
    theirs.handle(ECHO, async () => 'done');
    our.handle(ECHO, () => 'done');

    await expect(engine.run('r1', ECHO)).resolves.toMatchObject({ status: 'completed', output: 'done' });
    await Promise.all([theirs.close(), our.close()]);
    for (const url of [tasksQueueUrl, resultsQueueUrl]) expect(await depth(client, url)).toBe(1);
  });
});

describe.concurrent('a step whose name has a dot', () => {
  const CHARGE = 'payments.charge-card';

  it('gets a queue of another name than the published transport gives it', () => {
    expect(tasksQueueName(CHARGE, 'durable')).not.toBe(publishedTasksQueueName(CHARGE, 'durable'));
    expect(tasksQueueName(ECHO, 'durable')).toBe(publishedTasksQueueName(ECHO, 'durable'));
  });

  it('runs on the published worker when our engine is given its queue', async (test) => {
    const n = neighbourhood(test, undefined, await laxServer(test));
    const { tasksQueueUrl } = await n.queues(publishedTasksQueueName(CHARGE, n.prefix));
    const engine = n.engineOver(n.ours({ taskQueueUrl: (token) => (token === CHARGE ? tasksQueueUrl : '') }));
    n.published({ group: CHARGE }).handle(CHARGE, async () => 'published');

    await expect(engine.run('r1', CHARGE)).resolves.toMatchObject({ status: 'completed', output: 'published' });
  });

  it('runs on the published worker when that worker is given our queue', async (test) => {
    const n = neighbourhood(test);
    const { tasksQueueUrl, resultsQueueUrl } = await n.queues(tasksQueueName(CHARGE, n.prefix));
    const engine = n.engineOver(n.ours());
    // By URL alone: by its prefix it would find nothing.
    const byUrl = { prefix: 'elsewhere', taskQueueUrl: async () => tasksQueueUrl, resultsQueueUrl };
    n.published({ group: CHARGE, ...byUrl }).handle(CHARGE, async () => 'published');

    await expect(engine.run('r1', CHARGE)).resolves.toMatchObject({ status: 'completed', output: 'published' });
  });

  it('runs on our container worker when that worker is given the published queue', async (test) => {
    const n = neighbourhood(test, undefined, await laxServer(test));
    const { tasksQueueUrl, resultsQueueUrl } = await n.queues(publishedTasksQueueName(CHARGE, n.prefix));
    const engine = n.engineOver(n.published());
    const byUrl = { prefix: 'elsewhere', taskQueueUrl: tasksQueueUrl, resultsQueueUrl: () => resultsQueueUrl };
    n.ours(byUrl).handle(CHARGE, async (_input, { task }) => {
      await engine.turnEnded('r1', task.attempt);
      return 'container';
    });

    await expect(engine.run('r1', CHARGE)).resolves.toMatchObject({ status: 'completed', output: 'container' });
  });

  it('runs on our Lambda handler when the published engine is given our queue', async (test) => {
    const n = neighbourhood(test);
    const { tasksQueueUrl } = await n.queues(tasksQueueName(CHARGE, n.prefix));
    const engine = n.engineOver(n.published({ taskQueueUrl: () => tasksQueueUrl }));
    const run = async (_input: unknown, attempt: number) => {
      await engine.turnEnded('r1', attempt);
      return 'lambda';
    };
    n.lambda(CHARGE, tasksQueueUrl, run);

    await expect(engine.run('r1', CHARGE)).resolves.toMatchObject({ status: 'completed', output: 'lambda' });
  });
});

describe.concurrent('a failed step', () => {
  const RETRIES: StepDispatchOpts = { retries: 3, backoffMs: 1 };

  /** Two failures that may pass, then one that never will. */
  const fail = (attempt: number): never => {
    throw attempt < 3 ? new StepError('the bank is busy', 'bank_busy', true) : new StepError('the card is stolen', 'stolen_card', false);
  };
  /** One failure for good: of three attempts there is one. */
  const declined = (): never => {
    throw new StepError('the card was declined', 'card_declined', false);
  };
  const FINAL = { status: 'completed', output: { message: 'the card is stolen', code: 'stolen_card', retryable: false } };
  const DECLINED = { status: 'completed', output: { message: 'the card was declined', code: 'card_declined', retryable: false } };

  it('the published worker decides by its result whether our engine retries', async (test) => {
    const n = neighbourhood(test);
    await n.queues();
    const engine = n.engineOver(n.ours());
    const attempts: Record<string, number> = {};
    n.published({ group: ECHO }).handle(ECHO, async (input) => {
      const key = input === 'declined' ? 'declined' : 'busy';
      attempts[key] = (attempts[key] ?? 0) + 1;
      return key === 'declined' ? declined() : fail(attempts[key]);
    });

    const [busy, refused] = await Promise.all([engine.run('r1', ECHO, 'busy', RETRIES), engine.run('r2', ECHO, 'declined', RETRIES)]);
    expect(busy).toMatchObject(FINAL);
    expect(refused).toMatchObject(DECLINED);
    expect(attempts).toEqual({ busy: 3, declined: 1 });
  });

  it.for(['lambda', 'container'])('our worker (%s) decides by its result whether the published engine retries', async (worker, test) => {
    const n = neighbourhood(test);
    const { tasksQueueUrl, resultsQueueUrl } = await n.queues();
    const transport = n.published();
    const results: StepResult[] = [];
    const engine = n.engineOver(recording(transport, results));
    const attempts: Record<string, number> = {};
    const run = async (input: unknown, attempt: number) => {
      const key = input === 'declined' ? 'declined' : 'busy';
      attempts[key] = attempt;
      await engine.turnEnded(key === 'declined' ? 'r2' : 'r1', attempt);
      return key === 'declined' ? declined() : fail(attempt);
    };
    if (worker === 'lambda') n.lambda(ECHO, tasksQueueUrl, run);
    else n.ours({ group: ECHO }).handle(ECHO, (input, { task }) => run(input, task.attempt));

    const [busy, refused] = await Promise.all([engine.run('r1', ECHO, 'busy', RETRIES), engine.run('r2', ECHO, 'declined', RETRIES)]);
    expect(busy).toMatchObject(FINAL);
    expect(refused).toMatchObject(DECLINED);
    expect(attempts).toEqual({ busy: 3, declined: 1 });
    expect(results.filter(({ runId }) => runId === 'r1').map(({ error }) => error?.code)).toEqual([
      'bank_busy',
      'bank_busy',
      'stolen_card',
    ]);
    await drained(tasksQueueUrl, resultsQueueUrl);
  });
});

/** Notes every result on its way to the engine. */
function recording(transport: PublishedTransport, results: StepResult[]): Transport {
  return {
    dispatch: (task) => transport.dispatch(task),
    onHeartbeat: (handler) => transport.onHeartbeat(handler),
    onResult: (handler) =>
      transport.onResult(async (result) => {
        results.push(result);
        await handler(result);
      }),
  };
}
