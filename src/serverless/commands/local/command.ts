import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type LocalSqs, startServer } from '../../../local/embedded-sqs.ts';
import type { PlannedQueue } from '../../../topology/planned-queues.ts';
import { MAX_VISIBILITY_SECONDS } from '../../../topology/visibility.ts';
import type { DurableDeployment } from '../../deployment.ts';
import { queuePlan } from '../../queue-plan.ts';
import { durableFunctions } from '../../read-service.ts';
import type { Command } from '../command.ts';
import { messageOf } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { integerOption } from '../options.ts';
import { localBucketName, makeBucket, objectUrl } from './bucket.ts';
import { loadEsbuild } from './bundler.ts';
import { watchConfig } from './config-watch.ts';
import { DEFAULT_LOCAL_PORT, localEndpointFile, removeLocalEndpoint, writeLocalEndpoint } from './endpoint-file.ts';
import { engineEnvironment, handlerEnvironment } from './environment.ts';
import { startFunctions } from './functions.ts';
import { listenForInterruption } from './interruption.ts';
import { createPlan } from './queues.ts';
import { type LocalReport, localReport } from './report.ts';
import { StepOutcomes } from './step-outcomes.ts';

/**
 * `sls durable local`: the whole service, each function in processes of its own, until it is interrupted. Exits 0 after
 * Ctrl-C.
 */
export const localCommand: Command = {
  usage: 'Run the whole service on this machine: an SQS server, every function behind its queues, reload on change',
  options: {
    port: { usage: `Port of the SQS server, on 127.0.0.1 (default: ${DEFAULT_LOCAL_PORT}; 0 takes a free one)`, type: 'string' },
    'visibility-timeout': { usage: 'Seconds until a failed task is redelivered (default: as deployed)', type: 'string' },
    'max-receive-count': { usage: 'Receives until a task becomes a dead letter (default: as deployed)', type: 'string' },
  },

  async run(context) {
    const service = context.service();
    const port = integerOption(context.options, 'port', 0, 65_535) ?? DEFAULT_LOCAL_PORT;
    const plan = localPlan(context, service);
    const esbuild = loadEsbuild(context.serviceDir);
    const report = localReport(context);
    const interruption = listenForInterruption();
    const outDir = join(context.serviceDir, '.serverless', `durable-local-${process.pid}`);
    mkdirSync(outDir, { recursive: true });
    process.once('exit', () => rmSync(outDir, { recursive: true, force: true }));
    const endpointFile = localEndpointFile(context.serviceDir);

    const bucket = localBucketName(service);
    const outcomes = new StepOutcomes(async (pointer) => (await fetch(objectUrl(sqs.endpoint, pointer))).text());
    const sqs = await startServer({ port, region: context.region, s3: bucket !== undefined }, ({ queueUrl, body }) => {
      if (queueUrl.endsWith(`/${service.resultsQueue.name}`)) outcomes.noteResult(body);
    });
    try {
      const urls = await createQueues(context, plan, sqs);
      if (bucket !== undefined) await makeBucket(sqs.endpoint, bucket);
      const servers = {
        sqs,
        prefix: service.prefix,
        resultsQueueUrl: urls.get(service.resultsQueue.name) ?? '',
        startRunQueueUrl: service.startRuns && urls.get(service.startRuns.name),
        bucket,
      };
      const environment = handlerEnvironment(context, servers);
      const functions = await startFunctions({ context, service, sqs, esbuild, outDir, urls, environment, outcomes, report });
      const config = watchConfig(context.serviceDir, report.configChanged);
      try {
        announceEndpoint(endpointFile, sqs.endpoint, report);
        const containerSteps = service.containerSteps.map(({ name }) => name);
        report.ready({
          endpoint: sqs.endpoint,
          urls,
          environment: engineEnvironment(servers),
          containerSteps,
          engine: service.engine?.function.functionKey,
          starters: onlyStarters(service),
        });
        await interruption.onceReady();
        report.stopping();
      } finally {
        config.stop();
        await functions.stop();
      }
    } finally {
      await sqs.stop();
      removeLocalEndpoint(endpointFile);
    }
    context.setExitCode(0);
    // What an esbuild plugin of the service left open would keep the process; an unreferenced timer itself does not.
    setTimeout(() => process.exit(), 500).unref();
  },
};

/** Without the file the service runs all the same: only the other commands do not find it by `--local`. */
function announceEndpoint(file: string, endpoint: string, report: LocalReport): void {
  try {
    writeLocalEndpoint(file, endpoint);
  } catch (error) {
    report.warn(`--local does not find this service: ${messageOf(error)}; use --endpoint ${endpoint} instead`);
  }
}

/** Functions that may start runs, and are behind no queue. */
function onlyStarters(service: DurableDeployment): string[] {
  const durable = new Set(durableFunctions(service).map(({ functionKey }) => functionKey));
  return (service.startRuns?.functions ?? []).filter((name) => !durable.has(name));
}

/** The queues as deployed, but for what the options say of the steps' queues. */
function localPlan({ options }: CommandContext, service: DurableDeployment): PlannedQueue[] {
  const visibilityTimeoutSeconds = integerOption(options, 'visibility-timeout', 0, MAX_VISIBILITY_SECONDS);
  const maxReceiveCount = integerOption(options, 'max-receive-count', 1, 1_000);
  return queuePlan(service).map((queue) => ({
    ...queue,
    ...(visibilityTimeoutSeconds === undefined || queue.token === undefined ? {} : { visibilityTimeoutSeconds }),
    ...(maxReceiveCount === undefined || queue.kind !== 'tasks' || queue.redrive === undefined
      ? {}
      : { redrive: { ...queue.redrive, maxReceiveCount } }),
  }));
}

async function createQueues(context: CommandContext, plan: readonly PlannedQueue[], sqs: LocalSqs): Promise<Map<string, string>> {
  const admin = context.openSqs(sqs.clientConfig);
  try {
    return await createPlan(admin, plan, sqs.endpoint);
  } finally {
    admin.destroy();
  }
}
