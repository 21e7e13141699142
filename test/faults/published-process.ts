/**
 * The published transport at work, engine and worker in this process: `published-process.ts <endpoint> <steps> <seed>
 * <swallow>`.
 */
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs';
import { WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { SqsTransport } from '@dudousxd/nestjs-durable-transport-sqs';
import { seededRandom, slowStore } from '../support/slow-store.ts';
import { runStep, STEPS } from './steps.ts';
import { NO_EVIDENCE } from './verdict.ts';
import { judge, makeRuns, register } from './workload.ts';

const [endpoint = '', steps = '1000', seed = '1', swallow = 'false'] = process.argv.slice(2);
if (swallow === 'true') process.on('unhandledRejection', () => undefined);

const clientConfig = { endpoint, region: 'us-east-1', credentials: { accessKeyId: 'published', secretAccessKey: 'local' } };
const setup = new SQSClient({ ...clientConfig, maxAttempts: 20 });
for (const queue of [...STEPS.map((step) => `durable-tasks-${step}`), 'durable-results']) {
  await setup.send(new CreateQueueCommand({ QueueName: queue, Attributes: { VisibilityTimeout: '30' } }));
}

let executions = 0;
for (const step of STEPS) {
  const worker = new SqsTransport({ clientConfig, group: step, waitTimeSeconds: 2, visibilityTimeoutSec: 4 });
  worker.handle(step, (input) => {
    executions += 1;
    return runStep(input, { task: { runId: '', seq: 0, name: step, stepId: '', group: step, input, attempt: 1 } });
  });
}
const store = slowStore(Number(seed));
const engine = new WorkflowEngine({ store, transport: new SqsTransport({ clientConfig, waitTimeSeconds: 2 }) });
register(engine);
setInterval(() => void engine.resumeDueTimers().catch(() => undefined), 100);

// Flaky steps tell their attempts apart, and the published worker does not tell a step its attempt: left out.
const runs = makeRuns('published', Number(steps), ['one', 'three', 'fan', 'patient', 'compensated'], seededRandom(Number(seed)));
const report = async () => {
  const verdicts = await Promise.all(runs.map((run) => judge(run, store, NO_EVIDENCE)));
  const right = verdicts.filter(({ outcome }) => outcome === 'right').length;
  process.send?.({ runs: runs.length, right, executions });
  return right === runs.length;
};
setInterval(() => void report().then((done) => (done ? process.exit(0) : undefined)), 100);
await Promise.all(runs.map(({ runId, kind, nonce }) => engine.start(kind, { runId, nonce }, runId)));
