import type { BuildOptions } from 'esbuild';
import type { LocalSqs } from '../../../local/embedded-sqs.ts';
import { type QueueMapping, queueMapping } from '../../../local/event-source-mapping.ts';
import { settingsFor } from '../../../local/mapping-options.ts';
import { type HandlerCode, startProcess } from '../../../local/process/function-process.ts';
import { ProcessRuntime } from '../../../local/process/process-runtime.ts';
import type { DurableDeployment } from '../../deployment.ts';
import { allSteps, type DurableFunction } from '../../durable-service.ts';
import { INIT_TIMEOUT_MS } from '../../lambda-limits.ts';
import type { CommandContext } from '../context.ts';
import { flagOption } from '../options.ts';
import { type loadEsbuild, watchHandler } from './bundler.ts';
import { processEnvironment } from './environment.ts';
import { handlerProblems } from './handler-check.ts';
import type { LocalReport } from './report.ts';
import type { StepOutcomes } from './step-outcomes.ts';

/** The service that a function belongs to, and the servers around it. */
export interface LocalFunctionOptions {
  readonly context: CommandContext;
  readonly service: DurableDeployment;
  readonly esbuild: ReturnType<typeof loadEsbuild>;
  /** Settings of the service for the bundler. */
  readonly build: BuildOptions;
  /** Folder of the built files. */
  readonly outDir: string;
  readonly sqs: LocalSqs;
  /** Queue URLs by name. */
  readonly urls: ReadonlyMap<string, string>;
  /** Variables that every handler gets. */
  readonly environment: Readonly<Record<string, string>>;
  readonly outcomes: StepOutcomes;
  readonly report: LocalReport;
}

/** A queue that invokes a function, and what the output calls it. */
interface MappedQueue {
  readonly queueName: string;
  readonly source: string;
  readonly ofDeadLetters: boolean;
  readonly enabled: boolean;
  readonly batchSize: number;
  readonly batchWindowSeconds?: number;
  readonly maximumConcurrency?: number | undefined;
}

/** One function of the service: its processes, the mappings that invoke it, and the builds of its code. */
export class LocalFunction {
  readonly #fn: DurableFunction;
  readonly #options: LocalFunctionOptions;
  readonly #runtime: ProcessRuntime;
  readonly #mappings: readonly QueueMapping[];
  #watcher: { stop(): Promise<void> } | undefined;
  #loaded = false;

  constructor(fn: DurableFunction, options: LocalFunctionOptions) {
    this.#fn = fn;
    this.#options = options;
    this.#runtime = new ProcessRuntime({ start: () => this.#startProcess(), loadMs: INIT_TIMEOUT_MS });
    this.#mappings = this.#mappedQueues().flatMap((queue) => this.#mapping(queue));
  }

  /** Resolves after the first build, whether it loads or not. @throws CommandError where there is no file to build */
  async start(): Promise<void> {
    const { esbuild, context, outDir, build, report } = this.#options;
    const { functionKey, handler } = this.#fn;
    this.#watcher = await watchHandler({
      esbuild,
      serviceDir: context.serviceDir,
      functionKey,
      handler,
      outDir,
      build,
      onBuilt: (code) => this.#load(code),
      onProblem: (problem) => report.broken(functionKey, problem, this.#loaded),
    });
  }

  /** Receives no more, waits for the invocations in flight, and ends the processes. */
  async stop(): Promise<void> {
    await this.#watcher?.stop();
    await Promise.all(this.#mappings.map((mapping) => mapping.stop()));
    this.#runtime.stop();
  }

  async #load(code: HandlerCode): Promise<boolean> {
    const { report, service } = this.#options;
    const { functionKey } = this.#fn;
    const outcome = await this.#runtime.load(code);
    if (!outcome.ok) {
      report.broken(functionKey, outcome.problem, this.#loaded);
      return false;
    }
    const first = !this.#loaded;
    this.#loaded = true;
    report.loaded(functionKey, first);
    for (const problem of handlerProblems(outcome.handler, functionKey, service)) report.mismatch(functionKey, problem);
    // A function that has never loaded receives nothing.
    if (first) for (const mapping of this.#mappings) mapping.start();
    return true;
  }

  #startProcess() {
    const { context, environment, report } = this.#options;
    const { functionKey } = this.#fn;
    const { environment: own, memorySizeMb } = context.functionSettings(functionKey);
    return startProcess({
      env: processEnvironment(context.env, own, environment),
      memorySizeMb,
      output: flagOption(context.options, 'json') ? 'stderr' : 'inherit',
      onIdleEnd: (end) => report.exited(functionKey, end),
    });
  }

  #mappedQueues(): MappedQueue[] {
    const { steps, deadLetters, deadLetterMapping } = this.#options.service;
    const { functionKey } = this.#fn;
    const tasks = steps
      .filter((step) => step.function.functionKey === functionKey)
      .map(({ name, queues, batchSize, batchWindowSeconds, maximumConcurrency, enabled }) => {
        const settings = { batchSize, batchWindowSeconds, maximumConcurrency, enabled };
        return { ...settings, queueName: queues.tasks, source: name, ofDeadLetters: false };
      });
    if (deadLetters?.functionKey !== functionKey || deadLetterMapping === undefined) return tasks;
    const { batchSize, maximumConcurrency, enabled } = deadLetterMapping;
    const letters = allSteps(this.#options.service).map(({ name, queues }) => {
      const settings = { batchSize, maximumConcurrency, enabled };
      return { ...settings, queueName: queues.deadLetters, source: `${name} (dead letters)`, ofDeadLetters: true };
    });
    return [...tasks, ...letters];
  }

  #mapping({ queueName, source, ofDeadLetters, enabled, ...settings }: MappedQueue): QueueMapping[] {
    const { sqs, urls, report, context, outcomes } = this.#options;
    const { functionKey, timeoutSeconds } = this.#fn;
    if (!enabled) {
      report.off(functionKey, source);
      return [];
    }
    const mapping = settingsFor(
      {
        ...settings,
        functionName: context.functionSettings(functionKey).name,
        timeoutMs: timeoutSeconds * 1000,
        logger: report.logger(functionKey, source),
        queueUrl: urls.get(queueName) ?? '',
        onInvocation: (invocation, { records, failedIds }) =>
          void outcomes
            .outcomesOf(records, failedIds)
            .then((steps) => report.invoked({ functionKey, source, ofDeadLetters }, invocation, steps)),
      },
      this.#runtime,
    );
    return [queueMapping(mapping, { clientConfig: sqs.clientConfig })];
  }
}
