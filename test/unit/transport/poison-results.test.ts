import { InMemoryStateStore, RemoteStepError, type RemoteTask, type StepCheckpoint, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SqsTransport, type SqsTransportOptions } from '../../../src/transport/index.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { ended } from './ended.ts';
import { FakeSqs, pass } from './fake-sqs.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

/** As PostgreSQL's `jsonb`, which holds neither NUL nor half of a surrogate pair. */
const REFUSED = /\\u0000|\\u[dD][89a-fA-F]/;

/** A store that can refuse some values, all writes, or everything. */
class PickyStore extends InMemoryStateStore {
  state: 'well' | 'read-only' | 'down' = 'well';
  refuses: (text: string) => boolean = (text) => REFUSED.test(text);
  refusals = 0;

  override async saveCheckpoint(checkpoint: StepCheckpoint): Promise<void> {
    this.#write();
    if (this.refuses(JSON.stringify(checkpoint))) {
      this.refusals += 1;
      throw Object.assign(new Error('unsupported Unicode escape sequence: card 4111'), { code: '22P05' });
    }
    return super.saveCheckpoint(checkpoint);
  }

  override async updateRun(...args: Parameters<InMemoryStateStore['updateRun']>): Promise<void> {
    this.#write();
    return super.updateRun(...args);
  }

  override async getCheckpoint(...args: Parameters<InMemoryStateStore['getCheckpoint']>) {
    this.#read();
    // A parameter of a query holds no NUL either.
    if (args[0].includes('\0')) throw new Error('invalid byte sequence');
    return super.getCheckpoint(...args);
  }

  override async getRun(...args: Parameters<InMemoryStateStore['getRun']>) {
    this.#read();
    if (args[0].includes('\0')) throw new Error('invalid byte sequence');
    return super.getRun(...args);
  }

  #read() {
    if (this.state === 'down') throw new Error('connection refused');
  }

  #write() {
    if (this.state !== 'well') throw new Error('cannot execute UPDATE in a read-only transaction');
  }
}

interface World extends SqsTransportOptions {
  readonly attached?: boolean;
  readonly fifo?: boolean;
}

function world({ attached = true, fifo = false, ...options }: World = {}, store = new PickyStore(), shared?: FakeSqs) {
  const suffix = fifo ? '.fifo' : '';
  const [tasks, results] = [`durable-tasks-echo${suffix}`, `durable-results${suffix}`];
  const sqs = shared ?? new FakeSqs(tasks, results);
  const logger = capturingLogger();
  const errors: unknown[] = [];
  const transport = new SqsTransport({ client: sqs.client(), fifo, logger, onError: (error) => errors.push(error), ...options });
  const engine = new WorkflowEngine({ store, transport });
  if (attached) transport.attach(engine);
  engine.register('workflow', '1', async (ctx, input) => ctx.step('echo', input));
  const answer = (fields: (task: RemoteTask) => object) => {
    for (const { body } of sqs.messages(tasks)) {
      const task: RemoteTask = JSON.parse(body);
      const result = { runId: task.runId, seq: task.seq, stepId: task.stepId, status: 'completed', output: 'fine', ...fields(task) };
      if (fifo) sqs.putInGroup(results, task.runId, result);
      else sqs.put(results, result);
    }
    sqs.removeQueue(tasks);
    sqs.addQueue(tasks);
  };
  return {
    ...{ sqs, store, logger, errors, transport, engine, answer },
    results,
    start: (...runIds: string[]) => Promise.all(runIds.map((runId) => engine.start('workflow', { runId }, runId))),
    statuses: (...runIds: string[]) => Promise.all(runIds.map(async (runId) => (await store.getRun(runId))?.status)),
    messages: () => sqs.messages(results),
    close: () => ended(transport.close()),
  };
}

const names = (prefix: string, count: number) => Array.from({ length: count }, (_, index) => `${prefix}${index}`);
const bad = { output: { text: 'a\0b' } };

describe('a value that the store refuses', () => {
  it.each<[string, World]>([
    ['attached, standard', {}],
    ['attached, FIFO', { fifo: true }],
    ['not attached, standard', { attached: false }],
    ['not attached, FIFO', { attached: false, fifo: true }],
  ])('%s: thirty of them hold up no other run', async (_how, options) => {
    const { start, answer, statuses, close } = world(options);
    const [poisoned, good] = [names('bad', 30), names('good', 30)];
    await start(...poisoned);
    await pass(300);
    answer(() => bad);
    await pass(500);
    await start(...good);
    await pass(300);
    answer(() => ({}));
    await pass(options.attached === false ? 10_000 : 300);
    expect(await statuses(...good)).toEqual(good.map(() => 'completed'));
    await close();
  });

  it.each<[string, object]>([
    ['NUL in the output', bad],
    ['half of a surrogate pair, deep in the output', { output: [{ list: ['\ud800'] }] }],
    ['NUL in the message of a failed step', { status: 'failed', output: undefined, error: { message: 'a\0b', retryable: false } }],
  ])('%s: its step fails with result_refused, and its message is left for the dead-letter queue', async (_what, fields) => {
    for (const fifo of [false, true]) {
      const { start, answer, engine, messages, logger, errors, close } = world({ fifo });
      await start('run');
      await pass(300);
      answer(() => fields);
      await pass(120_000);
      const run = await engine.getRun('run');
      expect(run).toMatchObject({ status: 'failed', error: { message: expect.stringContaining('refuses') } });
      expect(messages()).toHaveLength(1);
      const { receiveCount = 0 } = messages()[0] ?? {};
      await pass(60_000);
      expect(messages()[0]?.receiveCount).toBeGreaterThan(receiveCount);
      expect(logger.lines.filter(({ fields: { errorCode } }) => errorCode === 'result_refused')).toMatchObject([
        { level: 'error', fields: { runId: 'run', stepId: 'run:0', reason: expect.stringContaining('(22P05)') } },
      ]);
      expect(JSON.stringify([logger.lines, run?.error])).not.toContain('4111');
      expect(errors.length).toBeGreaterThan(0);
      await close();
    }
  });

  it('result_refused is a code of the step, so that a workflow can go on without it', async () => {
    const { start, answer, engine, close } = world();
    engine.register('workflow', '2', async (ctx, input) => {
      try {
        return await ctx.step('echo', input, { retries: 3 });
      } catch (error) {
        if (!(error instanceof RemoteStepError)) throw error;
        return error.stepError;
      }
    });
    await start('run');
    await pass(300);
    answer(() => bad);
    await pass(120_000);
    expect(await engine.getRun('run')).toMatchObject({
      status: 'completed',
      output: { code: 'result_refused', retryable: false, message: expect.stringContaining('(22P05)') },
    });
    await close();
  });

  it('log lines that hold it are given up, and no more', async () => {
    const { start, answer, engine, messages, close } = world();
    await start('run');
    await pass(300);
    answer(() => ({ events: [{ at: 1, level: 'info', message: 'a\0b' }] }));
    await pass(120_000);
    expect(await engine.getRun('run')).toMatchObject({ status: 'completed', output: 'fine' });
    expect(messages()).toEqual([]);
    await close();
  });

  it('several steps fail at once, of several runs and of one', async () => {
    const { start, answer, engine, statuses, store, close } = world();
    engine.register('workflow', '2', async (ctx) =>
      Promise.all(
        [0, 1, 2].map((input) =>
          ctx.step('echo', input).catch((error: unknown) => {
            if (!(error instanceof RemoteStepError)) throw error;
          }),
        ),
      ),
    );
    const runIds = names('run', 5);
    await start(...runIds);
    await pass(300);
    answer(() => bad);
    await pass(600_000);
    expect(await statuses(...runIds)).toEqual(runIds.map(() => 'completed'));
    const steps = (await Promise.all(runIds.map((runId) => store.listCheckpoints(runId)))).flat();
    expect(steps.map(({ error }) => error?.code)).toEqual(steps.map(() => 'result_refused'));
    await close();
  });

  it('a run id that the store cannot even look for is no outage', async () => {
    const { sqs, start, answer, statuses, messages, results, close } = world();
    for (let seq = 0; seq < 10; seq += 1) sqs.put(results, { runId: 'a\0b', seq, stepId: `x:${seq}`, status: 'completed' });
    await pass(1_000);
    await start('good');
    await pass(300);
    answer(() => ({}));
    await pass(300);
    expect(await statuses('good')).toEqual(['completed']);
    expect(messages()).toHaveLength(10);
    await close();
  });

  it('another instance that receives it later deletes it, and leaves the run as it is', async () => {
    const first = world();
    await first.start('run');
    await pass(300);
    first.answer(() => bad);
    await pass(120_000);
    await first.close();
    const second = world({}, first.store, first.sqs);
    await pass(60_000);
    expect(second.messages()).toEqual([]);
    expect(await second.statuses('run')).toEqual(['failed']);
    await second.close();
  });
});

describe('a store that only reads', () => {
  it('fails no step: all results are accepted when it writes again', async () => {
    const { start, answer, store, statuses, close } = world();
    const runIds = names('run', 50);
    await start(...runIds);
    await pass(300);
    store.state = 'read-only';
    answer(() => ({}));
    await pass(900_000);
    store.state = 'well';
    await pass(900_000);
    expect(await statuses(...runIds)).toEqual(runIds.map(() => 'completed'));
    await close();
  });

  it.each([1, 50])('fails no step either where it writes again while a result is being judged (%i results)', async (count) => {
    const { start, answer, store, statuses, close } = world();
    const runIds = names('run', count);
    await start(...runIds);
    await pass(300);
    store.state = 'read-only';
    answer(() => ({}));
    // It writes again at the moment at which a result was rejected for the fifth time.
    let rejections = 0;
    const saveCheckpoint = store.saveCheckpoint.bind(store);
    store.saveCheckpoint = async (checkpoint) => {
      rejections += 1;
      if (rejections === 5 * count) setTimeout(() => (store.state = 'well'), 0);
      return saveCheckpoint(checkpoint);
    };
    await pass(1_800_000);
    expect(await statuses(...runIds)).toEqual(runIds.map(() => 'completed'));
    await close();
  });
});

describe('a store that is down', () => {
  it.each([
    ['attached', true],
    ['not attached', false],
  ])('%s: receiving pauses, and goes on when it is back', async (_how, attached) => {
    const { sqs, start, answer, store, statuses, results, close } = world({ attached });
    const runIds = names('run', 20);
    await start(...runIds);
    await pass(300);
    store.state = 'down';
    answer(() => ({}));
    await pass(600_000);
    const receives = sqs.messages(results).map(({ receiveCount }) => receiveCount);
    expect(Math.max(...receives)).toBeLessThan(10);
    store.state = 'well';
    await pass(300_000);
    expect(await statuses(...runIds)).toEqual(runIds.map(() => 'completed'));
    await close();
  });
});
