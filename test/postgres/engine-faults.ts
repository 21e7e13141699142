/**
 * Eight faults of the engine itself, each on two instances and one store, without a transport of ours: `node
 * test/postgres/engine-faults.ts`. The first four are what `attach` holds off (src/transport/engine/single-turns.ts,
 * engine-store.ts, stable-undos.ts): where a line says that the engine does right, the part that holds this fault off
 * can go. Nobody holds off the others.
 */
import {
  InMemoryStateStore,
  type RemoteTask,
  type StepResult,
  type Transport,
  WorkflowEngine,
  type WorkflowRun,
} from '@dudousxd/nestjs-durable-core';

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const say = (fault: string, isThere: boolean) => process.stdout.write(`${isThere ? 'fault' : 'right'}: ${fault}\n`);

/** What the second instance has dispatched. */
let tasks: RemoteTask[] = [];
let answer: (result: StepResult) => Promise<void> = async () => {};
const silent: Transport = { dispatch: async () => {}, onResult: () => {}, onHeartbeat: () => {} };
const answering: Transport = {
  ...silent,
  async dispatch(task) {
    if (task.name === 'too large') throw new Error('too large');
    tasks.push(task);
  },
  onResult(handler) {
    answer = handler;
  },
};

/** A store as `first` sees it, whose write of `suspended` takes 200 ms, as one behind a busy pool of connections. */
const store = new InMemoryStateStore();
const late = Object.assign(Object.create(store), {
  async updateRun(...[runId, patch]: Parameters<InMemoryStateStore['updateRun']>) {
    if (patch.status === 'suspended') await sleep(200);
    return store.updateRun(runId, patch);
  },
});
const [first, second] = [
  new WorkflowEngine({ store: late, transport: silent, instanceId: 'first' }),
  new WorkflowEngine({ store, transport: answering, instanceId: 'second' }),
];
for (const engine of [first, second]) {
  engine.register('step', '1', (ctx) => ctx.step('a', 1));
  engine.register('signal', '1', (ctx) => ctx.waitForSignal('go'));
  engine.register('trip', '1', (ctx) =>
    Promise.all([
      ctx.step('hotel', 1, { compensate: 'hotel.undo' }),
      ctx.step('charge', 2, { retries: 0 }),
      ctx.step('car', 3, { compensate: 'car.undo' }),
    ]),
  );
  engine.register('in memory', '1', async (ctx) => {
    await ctx.step('hotel', 1, { compensate: 'hotel.undo' });
    await ctx.step('charge', 2, { timeoutMs: 5_000, retries: 0 });
  });
  engine.register('refused', '1', async (ctx) => {
    await ctx.step('hotel', 1, { compensate: 'hotel.undo' });
    await ctx.step('too large', 2);
  });
  engine.register('fails', '1', () => Promise.reject(new Error('as it should')));
}

await first.start('step', {}, 'overwritten');
await sleep(50);
await answer({ runId: 'overwritten', seq: 0, stepId: 'overwritten:0', status: 'completed', output: 1 });
await sleep(400);
const overwritten = (await store.getRun('overwritten'))?.status;
say(
  'the lock is released before `suspended` is written, which then lands on what another instance has written',
  overwritten !== 'completed',
);

await second.start('signal', {}, 'unwoken');
await sleep(50);
await store.tryLockRun('unwoken', 'third', Date.now() + 100, Date.now());
await second.signal('go', 1);
await sleep(400);
say('a signal that meets a run locked by another instance wakes nobody', (await store.getRun('unwoken'))?.status === 'suspended');

const list = store.listIncompleteRuns.bind(store);
store.listIncompleteRuns = async (namespace) => [...(await list(namespace)), running];
const at = new Date();
const running: WorkflowRun = {
  id: 'ended',
  workflow: 'fails',
  workflowVersion: '1',
  status: 'running',
  input: {},
  createdAt: at,
  updatedAt: at,
};
await store.createRun({ ...running, status: 'failed' });
const recovered = await second.recoverIncomplete();
say(
  'recovery begins a run anew that has failed since it read its list',
  recovered.some(({ runId }) => runId === 'ended'),
);

const result = async (name: string, fields: Partial<StepResult> = {}) => {
  const task = tasks.findLast((task) => task.name === name);
  if (task === undefined) return;
  // Not awaited: it takes as long as the turn, which may wait for a step in memory.
  void answer({ runId: task.runId, seq: task.seq, stepId: task.stepId, status: 'completed', output: name, ...fields });
  await sleep(20);
};
const declined = { status: 'failed', error: { message: 'declined', retryable: false } } as const;
const names = () => tasks.map(({ name }) => name);

await second.start('trip', {}, 'saga');
await sleep(20);
await result('hotel');
await result('charge', declined);
await result('hotel.undo');
await result('car');
await result('hotel.undo');
say(
  'of two steps side by side the late one takes the number of the undo of the other: one is undone twice, one never',
  names().filter((name) => name === 'hotel.undo').length === 2 && !names().includes('car.undo'),
);

tasks = [];
await second.start('trip', {}, 'cancelled');
await sleep(20);
await second.cancel('cancelled', { compensate: true });
await sleep(20);
await result('hotel');
say('a step that completes after `cancel` with `compensate: true` is not undone', !names().includes('hotel.undo'));

tasks = [];
await second.start('in memory', {}, 'charged');
await sleep(20);
await result('hotel');
await result('charge', declined);
await result('hotel.undo');
say(
  'a step with `timeoutMs` that has failed a run with something to undo is dispatched again when that is undone',
  names().filter((name) => name === 'charge').length === 2,
);

tasks = [];
await second.start('refused', {}, 'unsent');
await sleep(20);
await result('hotel');
await result('hotel.undo');
say(
  'a run with something to undo, whose dispatch of a step is refused, is not failed when that is undone: it waits for the step',
  (await store.getRun('unsent'))?.status === 'suspended',
);

const createRun = store.createRun.bind(store);
// The first instance dies with this call.
late.createRun = (run: WorkflowRun) => (run.id === 'chain~1' ? new Promise<void>(() => {}) : createRun(run));
for (const engine of [first, second]) {
  engine.register('chain', '1', (ctx, input) => (input === 'last' ? Promise.resolve('end') : ctx.continueAsNew('last')));
}
await first.start('chain', 'first', 'chain');
await sleep(50);
await second.recoverIncomplete();
await second.runPending();
say(
  'continueAsNew ends a run before the next one is in the store: a process that dies in between ends the chain',
  (await store.getRun('chain'))?.status === 'completed' && (await store.getRun('chain~1')) === null,
);
