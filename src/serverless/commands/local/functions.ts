import type { LocalSqs } from '../../../local/embedded-sqs.ts';
import { LocalEventSourceMapping } from '../../../local/event-source-mapping.ts';
import type { EventSourceMappingOptions, SqsLambdaHandler } from '../../../local/mapping-options.ts';
import type { DurableDeployment } from '../../deployment.ts';
import type { DurableFunction } from '../../durable-service.ts';
import { durableFunctions } from '../../read-service.ts';
import type { CommandContext } from '../context.ts';
import { type loadEsbuild, watchHandler } from './bundler.ts';
import { bundlerSettings } from './bundler-settings.ts';
import { clashes, withEnvironment } from './environment.ts';
import type { LocalReport } from './report.ts';

export interface StartOptions {
  readonly context: CommandContext;
  readonly service: DurableDeployment;
  readonly sqs: LocalSqs;
  readonly esbuild: ReturnType<typeof loadEsbuild>;
  readonly outDir: string;
  /** Queue URLs by name. */
  readonly urls: ReadonlyMap<string, string>;
  /** What every handler finds in its environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly report: LocalReport;
}

type MappingSettings = Pick<EventSourceMappingOptions, 'batchSize' | 'batchWindowSeconds' | 'maximumConcurrency'> & {
  readonly enabled: boolean;
};

/** Builds every function and puts it behind the mappings of its queues. A function that does not build reads nothing until it does. */
export async function startFunctions(options: StartOptions): Promise<{ stop(): Promise<void> }> {
  const { context, service, report } = options;
  const functions = durableFunctions(service);
  const environments = functions.map(({ functionKey }) => ({
    ...context.functionSettings(functionKey).environment,
    ...options.environment,
  }));
  const { build, ignored } = bundlerSettings(context.bundlerSettings(), context.serviceDir);
  for (const setting of ignored) report.warn(setting);
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
      let current: SqsLambdaHandler | undefined;
      const handler: SqsLambdaHandler = (event, invocation) => current?.(event, invocation);
      const mappings = mappingsOf(fn, handler, options);
      const watcher = await watchHandler({
        esbuild: options.esbuild,
        serviceDir: context.serviceDir,
        functionKey: fn.functionKey,
        handler: fn.handler,
        outDir: options.outDir,
        build,
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

function mappingsOf(fn: DurableFunction, handler: SqsLambdaHandler, options: StartOptions): LocalEventSourceMapping[] {
  const { service, sqs, urls, report, context } = options;
  const mapping = (queue: string, source: string, settings: MappingSettings): LocalEventSourceMapping[] => {
    if (!settings.enabled) {
      report.off(fn.functionKey, source);
      return [];
    }
    return [
      new LocalEventSourceMapping({
        ...settings,
        clientConfig: sqs.clientConfig,
        handler,
        functionName: context.functionSettings(fn.functionKey).name,
        timeoutMs: fn.timeoutSeconds * 1000,
        logger: report.logger(fn.functionKey, source),
        queueUrl: urls.get(queue) ?? '',
        onInvocation: (invocation) => report.invoked(fn.functionKey, source, invocation),
      }),
    ];
  };
  const tasks = service.steps
    .filter((step) => step.function.functionKey === fn.functionKey)
    .flatMap(({ name, queues, batchSize, batchWindowSeconds, maximumConcurrency, enabled }) =>
      mapping(queues.tasks, name, { batchSize, batchWindowSeconds, maximumConcurrency, enabled }),
    );
  const { deadLetters, deadLetterMapping } = service;
  if (deadLetters?.functionKey !== fn.functionKey || deadLetterMapping === undefined) return tasks;
  const { batchSize, maximumConcurrency, enabled } = deadLetterMapping;
  return [
    ...tasks,
    ...service.steps.flatMap(({ name, queues }) =>
      mapping(queues.deadLetters, `${name} (dead letters)`, { batchSize, maximumConcurrency, enabled }),
    ),
  ];
}
