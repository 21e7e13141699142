import { setTimeout as sleep } from 'node:timers/promises';
import { SendMessageBatchCommand, SetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { InMemoryStateStore } from '@dudousxd/nestjs-durable-core';
import { createQueues, LocalEventSourceMapping } from '../../src/local/index.ts';
import { sqsApi } from '../../src/sqs/api-calls.ts';
import { openSqs } from '../../src/sqs/open-sqs.ts';
import { silentLogger } from '../support/local-cloud.ts';
import { seededRandom } from '../support/slow-store.ts';
import { EngineInstance } from './engine-instance.ts';
import { hostileBodies, isPoisonResult, isPoisonTask } from './hostile-bodies.ts';
import { Injector } from './injector.ts';
import { LambdaFleet } from './lambda-fleet.ts';
import { Ledger } from './ledger.ts';
import { depth } from './queue-depth.ts';
import type { Row } from './report.ts';
import { serveSteps } from './served.ts';
import { NO_EVIDENCE } from './verdict.ts';
import { judge, makeRuns } from './workload.ts';

const STEP = 'faults.work';
const PREFIX = 'hostile';
const MAX_RECEIVE_COUNT = 2;
const RUN_STEPS = 100;
/**
 * Of tasks and of results: a poison one is hidden for so long each time it is received, twice; then the next receive
 * moves it.
 */
const VISIBILITY_SECONDS = 8;
const UNTIL_DEAD_MS = 150_000;

/**
 * Puts hostile bodies on a tasks and a results queue, and runs among them. Every poison one must end as a dead letter,
 * every run well.
 */
export async function runHostile(
  count: number,
  seed: number,
  sqsPort: number,
): Promise<{ readonly rows: Row[]; readonly violations: string[] }> {
  const startedAt = Date.now();
  const clientConfig = (caller: string) => ({
    endpoint: `http://127.0.0.1:${sqsPort}`,
    region: 'us-east-1',
    credentials: { accessKeyId: caller, secretAccessKey: 'local' },
  });
  const client = new SQSClient(clientConfig('test'));
  const { tasksQueueUrls, resultsQueueUrl } = await createQueues({ clientConfig: clientConfig('test'), steps: [STEP], prefix: PREFIX });
  const tasksQueueUrl = tasksQueueUrls.get(STEP) ?? '';
  const deadTasks = await shortRedrive(client, tasksQueueUrl, `${PREFIX}-dead-letters-faults--work`);
  const deadResults = await shortRedrive(client, resultsQueueUrl, `${PREFIX}-results-dead-letters`);

  const ledger = new Ledger();
  const kill = () => undefined;
  // Only so that the engine, too, hides what it receives for no longer than that.
  const random = seededRandom(seed);
  const injector = new Injector({ upstreamPort: sqsPort, rate: 0, random, ledger, maxVisibilitySeconds: VISIBILITY_SECONDS });
  await injector.start();
  const fleet = new LambdaFleet({
    resultsQueueUrl,
    clientConfig,
    kill,
    ledger,
    random,
    killRate: 0,
    cutOffRate: 0,
    timeoutMs: 10_000,
  });
  const mapping = new LocalEventSourceMapping({
    clientConfig: clientConfig('mapping'),
    queueUrl: tasksQueueUrl,
    handler: fleet.function(serveSteps),
    functionName: 'hostile',
    timeoutMs: 10_000,
    logger: silentLogger,
  });
  const store = new InMemoryStateStore();
  const engine = new EngineInstance({
    caller: 'hostile-engine',
    store,
    clientConfig: injector.clientConfig.bind(injector),
    kill,
    ledger,
    transport: { prefix: PREFIX },
  });

  const bodies = hostileBodies(count, seed);
  const runs = makeRuns(PREFIX, RUN_STEPS, ['one', 'three', 'fan', 'patient'], seededRandom(seed));
  mapping.start();
  await Promise.all([sendAll(client, tasksQueueUrl, bodies.tasks), sendAll(client, resultsQueueUrl, bodies.results)]);
  await Promise.all(runs.map(({ runId, kind, nonce }) => engine.start({ runId, kind, nonce })));
  await Promise.allSettled(runs.map(({ runId }) => engine.engine.waitForRun(runId, { until: 'terminal', timeoutMs: UNTIL_DEAD_MS })));
  const runsSeconds = (Date.now() - startedAt) / 1000;

  const poison = { tasks: bodies.tasks.filter(isPoisonTask).length, results: bodies.results.filter(isPoisonResult).length };
  const dead = async () => ({ tasks: await depth(client, deadTasks), results: await depth(client, deadResults) });
  const open = async () => (await depth(client, tasksQueueUrl)) + (await depth(client, resultsQueueUrl));
  const deadline = Date.now() + UNTIL_DEAD_MS;
  while ((await open()) > 0 && Date.now() < deadline) await sleep(500);
  const [letters, left] = [await dead(), await open()];
  await Promise.all([engine.close(), mapping.stop()]);
  await injector.stop();
  client.destroy();

  const wrong = (await Promise.all(runs.map((run) => judge(run, store, NO_EVIDENCE)))).flatMap((verdict) =>
    verdict.outcome === 'wrong' ? [verdict.why] : [],
  );
  const violations = [
    ...wrong,
    ...(['tasks', 'results'] as const)
      .filter((kind) => letters[kind] !== poison[kind])
      .map((kind) => `expected ${poison[kind]} poison ${kind} among the dead letters, found ${letters[kind]}`),
    ...(left === 0 ? [] : [`${left} hostile messages are neither done with nor dead letters`]),
  ];
  return {
    violations,
    rows: [
      ['hostile bodies on the tasks queue', bodies.tasks.length],
      ['  of these dead letters', letters.tasks],
      ['hostile bodies on the results queue', bodies.results.length],
      ['  of these dead letters', letters.results],
      ['runs among them that ended well', `${runs.length - wrong.length} of ${runs.length}, in ${runsSeconds.toFixed(1)} s`],
      ['time', `${((Date.now() - startedAt) / 1000).toFixed(0)} s`],
    ],
  };
}

/** A redrive policy that does not take minutes. Gives the dead-letter queue's URL. */
async function shortRedrive(client: SQSClient, queueUrl: string, deadLetterQueue: string): Promise<string> {
  const api = sqsApi(openSqs({ client }));
  const deadLetterQueueUrl = (await api.findQueueUrl(deadLetterQueue)) ?? '';
  const { QueueArn } = await api.queueAttributes(deadLetterQueueUrl, ['QueueArn']);
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: QueueArn, maxReceiveCount: MAX_RECEIVE_COUNT });
  await client.send(
    new SetQueueAttributesCommand({ QueueUrl: queueUrl, Attributes: { RedrivePolicy, VisibilityTimeout: String(VISIBILITY_SECONDS) } }),
  );
  return deadLetterQueueUrl;
}

async function sendAll(client: SQSClient, queueUrl: string, bodies: readonly string[]): Promise<void> {
  for (let from = 0; from < bodies.length; from += 10) {
    const Entries = bodies.slice(from, from + 10).map((MessageBody, index) => ({ Id: String(index), MessageBody }));
    const { Failed = [] } = await client.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries }));
    if (Failed.length > 0) throw new Error(`the SQS server refused hostile bodies: ${Failed[0]?.Message ?? ''}`);
  }
}
