import type { BuildOptions } from 'esbuild';
import type { LocalSqs } from '../../../local/embedded-sqs.ts';
import { type QueueMapping, queueMapping } from '../../../local/event-source-mapping.ts';
import { settingsFor } from '../../../local/mapping-options.ts';
import { type HandlerCode, startProcess } from '../../../local/process/function-process.ts';
import { ProcessRuntime } from '../../../local/process/process-runtime.ts';
import type { DurableDeployment } from '../../deployment.ts';
import type { DurableFunction } from '../../durable-service.ts';
import { INIT_TIMEOUT_MS } from '../../lambda-limits.ts';
import type { CommandContext } from '../context.ts';
import { flagOption } from '../options.ts';
import { type loadEsbuild, watchHandler } from './bundler.ts';
import { engineOutcomes } from './engine-outcomes.ts';
import { EngineTicks } from './engine-ticks.ts';
import { processEnvironment } from './environment.ts';
import { handlerProblems } from './handler-check.ts';
import { type MappedQueue, mappedQueues } from './mapped-queues.ts';
import type { LocalReport } from './report.ts';
import type { StepOutcomes } from './step-outcomes.ts';

/** The service that a function belongs to, and the servers around it. */
export interface LocalFunctionOptions {
  readonly context: CommandContext;
  readonly service: DurableDeployment;
  readonly esbuild: ReturnType<typeof loadEsbuild>;
  /** Settings of the service for the bundler. */
  readonly build: BuildOptions;
  /** Packages that are no part of a deployed bundle. */
  readonly exclude: readonly string[];
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

/** One function of the service: its processes, the mappings that invoke it, and the builds of its code. */
export class LocalFunction {
  readonly #fn: DurableFunction;
  readonly #options: LocalFunctionOptions;
  readonly #runtime: ProcessRuntime;
  readonly #mappings: readonly QueueMapping[];
  readonly #ticks: EngineTicks | undefined;
  #watcher: { stop(): Promise<void> } | undefined;
  #loaded = false;

  constructor(fn: DurableFunction, options: LocalFunctionOptions) {
    this.#fn = fn;
    this.#options = options;
    this.#runtime = new ProcessRuntime({ start: () => this.#startProcess(), loadMs: INIT_TIMEOUT_MS });
    this.#mappings = mappedQueues(options.service, fn.functionKey).flatMap((queue) => this.#mapping(queue));
    this.#ticks = this.#engineTicks();
  }

  /** Resolves after the first build, whether it loads or not. @throws CommandError where there is no file to build */
  async start(): Promise<void> {
    const { esbuild, context, outDir, build, exclude, report } = this.#options;
    const { functionKey, handler } = this.#fn;
    this.#watcher = await watchHandler({
      esbuild,
      serviceDir: context.serviceDir,
      functionKey,
      handler,
      outDir,
      build,
      exclude,
      onBuilt: (code) => this.#load(code),
      onProblem: (problem) => report.broken(functionKey, problem, this.#loaded),
    });
  }

  /** Receives no more, waits for the invocations in flight, and ends the processes. */
  async stop(): Promise<void> {
    await this.#watcher?.stop();
    await Promise.all([this.#ticks?.stop(), ...this.#mappings.map((mapping) => mapping.stop())]);
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
    if (first) this.#receive();
    return true;
  }

  #receive(): void {
    for (const mapping of this.#mappings) mapping.start();
    this.#ticks?.start();
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

  #mapping({ queueName, source, brings, enabled, ...settings }: MappedQueue): QueueMapping[] {
    const { sqs, urls, report, outcomes } = this.#options;
    const { functionKey } = this.#fn;
    if (!enabled) {
      report.off(functionKey, source);
      return [];
    }
    const mapping = settingsFor(
      {
        ...settings,
        ...this.#invocation(),
        logger: report.logger(functionKey, source),
        queueUrl: urls.get(queueName) ?? '',
        onInvocation: (invocation, { records, failedIds }) => {
          const ended =
            brings === 'answers' ? Promise.resolve(engineOutcomes(records, failedIds)) : outcomes.outcomesOf(records, failedIds);
          void ended.then((steps) => report.invoked({ functionKey, source, brings }, invocation, steps));
        },
      },
      this.#runtime,
    );
    return [queueMapping(mapping, { clientConfig: sqs.clientConfig })];
  }

  #engineTicks(): EngineTicks | undefined {
    const { service, context, report } = this.#options;
    const { functionKey } = this.#fn;
    const { engine } = service;
    if (engine?.function.functionKey !== functionKey || !engine.enabled) return undefined;
    const settings = { ...this.#invocation(), region: context.region };
    return new EngineTicks({
      runtime: this.#runtime,
      settings,
      everyMs: engine.tickMinutes * 60_000,
      onTick: (outcome, durationMs) => report.ticked(functionKey, outcome, { durationMs, timeoutMs: settings.timeoutMs }),
    });
  }

  /** What every invocation of the function has. */
  #invocation() {
    const { functionKey, timeoutSeconds } = this.#fn;
    return { functionName: this.#options.context.functionSettings(functionKey).name, timeoutMs: timeoutSeconds * 1000 };
  }
}
