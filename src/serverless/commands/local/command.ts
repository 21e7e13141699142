import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { startLocalSqs } from '../../../local/embedded-sqs.ts';
import { DEFAULT_LOCAL_PORT } from '../aws/connect.ts';
import type { CommandContext } from '../context.ts';
import { flagOption, integerOption } from '../options.ts';
import { stdoutToStderr } from '../output/stdout-to-stderr.ts';
import { queuePlan, resultsName } from '../queue-plan.ts';
import { localBucketName, makeBucket } from './bucket.ts';
import { loadEsbuild } from './bundler.ts';
import { localEndpointFile, removeLocalEndpoint, writeLocalEndpoint } from './endpoint-file.ts';
import { engineEnvironment, handlerEnvironment } from './environment.ts';
import { startFunctions } from './functions.ts';
import { createPlan } from './queues.ts';
import { localReport } from './report.ts';

/** `sls durable local`: the whole service in this process, until it is interrupted. Exits 0 after Ctrl-C. */
export async function localCommand(context: CommandContext): Promise<void> {
  const { options, serviceDir, region } = context;
  const service = context.service();
  const port = integerOption(options, 'port', 0, 65_535) ?? DEFAULT_LOCAL_PORT;
  const visibilityTimeoutSeconds = integerOption(options, 'visibility-timeout', 0, 43_200);
  const maxReceiveCount = integerOption(options, 'max-receive-count', 1, 1_000);
  const esbuild = loadEsbuild(serviceDir);
  const report = localReport(context);
  // Handlers run in this process, and print what they like.
  if (flagOption(options, 'json')) stdoutToStderr();
  const interruption = listenForInterruption();
  const outDir = join(serviceDir, '.serverless', `durable-local-${process.pid}`);
  mkdirSync(outDir, { recursive: true });
  process.once('exit', () => rmSync(outDir, { recursive: true, force: true }));
  const endpointFile = localEndpointFile(serviceDir);
  process.setSourceMapsEnabled(true);

  const sqs = await startLocalSqs({ port, region });
  try {
    const plan = queuePlan(service).map((queue) => ({
      ...queue,
      ...(visibilityTimeoutSeconds === undefined || queue.token === undefined ? {} : { visibilityTimeoutSeconds }),
      ...(maxReceiveCount === undefined || queue.kind !== 'tasks' || queue.redrive === undefined
        ? {}
        : { redrive: { ...queue.redrive, maxReceiveCount } }),
    }));
    const admin = context.openSqs(sqs.clientConfig);
    const urls = await createPlan(admin, plan, sqs.endpoint).finally(() => admin.destroy());
    const bucket = localBucketName(service);
    if (bucket !== undefined) await makeBucket(sqs.endpoint, bucket);
    const place = { sqs, prefix: service.prefix, resultsQueueUrl: urls.get(resultsName(service)) ?? '', bucket };
    const environment = handlerEnvironment(context, place);
    const functions = await startFunctions({ context, service, sqs, esbuild, outDir, urls, environment, report });
    try {
      writeLocalEndpoint(endpointFile, sqs.endpoint);
      report.ready({ endpoint: sqs.endpoint, urls, environment: engineEnvironment(place) });
      await interruption.onceReady();
      report.stopping();
    } finally {
      await functions.stop();
    }
  } finally {
    await sqs.stop();
    removeLocalEndpoint(endpointFile);
  }
  context.setExitCode(0);
  // Connections that a handler of the user's left open must not keep the process; an unreferenced timer itself keeps nothing.
  setTimeout(() => process.exit(), 500).unref();
}

/**
 * Ctrl-C (or SIGTERM) before the service is ready ends the process at once: there is nothing to finish yet, and the terminal has
 * interrupted esbuild's process too, so that no build would come to its end. After that the first one is waited for, the second ends the process.
 */
function listenForInterruption(): { onceReady(): Promise<void> } {
  let endNow = true;
  let resolve = () => {};
  const listener = () => {
    if (endNow) process.exit(130);
    endNow = true;
    resolve();
  };
  process.on('SIGINT', listener);
  process.on('SIGTERM', listener);
  return {
    onceReady() {
      endNow = false;
      return new Promise((heard) => {
        resolve = heard;
      });
    },
  };
}
