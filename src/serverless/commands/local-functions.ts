import type { LocalSqs } from '../../local/embedded-sqs.ts';
import { LocalEventSourceMapping } from '../../local/event-source-mapping.ts';
import type { SqsLambdaHandler } from '../../local/mapping-options.ts';
import type { DurableFunction, DurableService } from '../durable-service.ts';
import { type loadEsbuild, watchHandler } from './bundler.ts';
import type { CommandContext } from './context.ts';
import { clashes, handlerEnvironment, withEnvironment } from './local-environment.ts';
import type { LocalReport } from './local-report.ts';

export interface StartOptions {
  readonly context: CommandContext;
  readonly service: DurableService;
  readonly sqs: LocalSqs;
  readonly esbuild: ReturnType<typeof loadEsbuild>;
  readonly outDir: string;
  /** Queue URLs by name. */
  readonly urls: ReadonlyMap<string, string>;
  readonly resultsQueueUrl: string;
  readonly report: LocalReport;
}

/** Builds every function and puts it behind the mappings of its queues. A function that does not build reads nothing until it does. */
export async function startFunctions(options: StartOptions): Promise<{ stop(): Promise<void> }> {
  const { context, service, sqs, report } = options;
  const shared = handlerEnvironment(context, sqs, service.prefix, options.resultsQueueUrl);
  const functions = functionsOf(service);
  const environments = functions.map(({ functionKey }) => ({ ...context.functionSettings(functionKey).environment, ...shared }));
  for (const name of clashes(environments)) report.clash(name);
  Object.assign(process.env, ...environments);
  delete process.env['AWS_LAMBDA_FUNCTION_NAME'];

  const stops: (() => Promise<void>)[] = [];
  let loading: Promise<unknown> = Promise.resolve();
  const stop = async () => {
    // Mappings first: what they hold is still worked on. Each waits for its long poll, so all at once.
    await Promise.all(stops.map((end) => end()));
  };
  try {
    for (const [index, fn] of functions.entries()) {
      const mappings: LocalEventSourceMapping[] = [];
      let current: SqsLambdaHandler | undefined;
      const handler: SqsLambdaHandler = (event, invocation) => current?.(event, invocation);
      mappings.push(...mappingsOf(fn, handler, options));
      const watcher = await watchHandler({
        esbuild: options.esbuild,
        serviceDir: context.serviceDir,
        functionKey: fn.functionKey,
        handler: fn.handler,
        outDir: options.outDir,
        external: [],
        around: (load) => {
          const loaded = loading.then(() => withEnvironment(environments[index] ?? {}, load));
          loading = loaded.catch(() => undefined);
          return loaded;
        },
        onHandler: (next) => {
          const first = current === undefined;
          current = next;
          if (first) for (const mapping of mappings) mapping.start();
          report.loaded(fn.functionKey, first);
        },
        onProblem: (problem) => report.broken(fn.functionKey, problem, current !== undefined),
      });
      stops.push(async () => {
        await watcher.stop();
        await Promise.all(mappings.map((mapping) => mapping.stop()));
      });
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop };
}

function functionsOf({ steps, deadLetters }: DurableService): DurableFunction[] {
  const all = [...steps.map((step) => step.function), ...(deadLetters === undefined ? [] : [deadLetters])];
  return [...new Map(all.map((fn) => [fn.functionKey, fn])).values()];
}

function mappingsOf(fn: DurableFunction, handler: SqsLambdaHandler, options: StartOptions): LocalEventSourceMapping[] {
  const { service, sqs, urls, report, context } = options;
  const shared = {
    clientConfig: sqs.clientConfig,
    handler,
    functionName: context.functionSettings(fn.functionKey).name,
    timeoutMs: fn.timeoutSeconds * 1000,
    logger: report.logger,
  };
  const tasks = service.steps
    .filter((step) => step.function.functionKey === fn.functionKey)
    .map(
      (step) =>
        new LocalEventSourceMapping({
          ...shared,
          queueUrl: urls.get(step.queues.tasks) ?? '',
          batchSize: step.batchSize,
          batchWindowSeconds: step.batchWindowSeconds,
          maximumConcurrency: step.maximumConcurrency,
          enabled: step.enabled,
          onInvocation: (invocation) => report.invoked(fn.functionKey, step.name, invocation),
        }),
    );
  if (service.deadLetters?.functionKey !== fn.functionKey) return tasks;
  const deadLetters = service.steps.map(
    (step) =>
      new LocalEventSourceMapping({
        ...shared,
        queueUrl: urls.get(step.queues.deadLetters) ?? '',
        onInvocation: (invocation) => report.invoked(fn.functionKey, `${step.name} (dead letters)`, invocation),
      }),
  );
  return [...tasks, ...deadLetters];
}
