/**
 * Four faults of the engine itself, each on two instances and one store, without a transport of ours: `node
 * test/postgres/engine-faults.ts`. The first three are what `attach` holds off (src/transport/engine/single-turns.ts,
 * engine-store.ts): where a line says that the engine does right, the part that holds this fault off can go. Nobody
 * holds off the last one: the store does not tell the end of such a run from that of another.
 */
import { InMemoryStateStore, type StepResult, type Transport, WorkflowEngine, type WorkflowRun } from '@dudousxd/nestjs-durable-core';

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const say = (fault: string, isThere: boolean) => process.stdout.write(`${isThere ? 'fault' : 'right'}: ${fault}\n`);

let answer: (result: StepResult) => Promise<void> = async () => {};
const silent: Transport = { dispatch: async () => {}, onResult: () => {}, onHeartbeat: () => {} };
const answering: Transport = {
  ...silent,
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
