import { ConfigurationError } from '../errors.ts';
import { checkPlainEvents } from './config/check-filters.ts';
import { checkConcurrency, checkPartitions, checkRetention, checkStep, checkTogether } from './config/check-steps.ts';
import { checkEngine, engineQueues, readEngine } from './config/read-engine.ts';
import { checkEnvironment, checkFunction, type Defaults, type FunctionEntry, readFunctions, readRole } from './config/read-functions.ts';
import { readSettings, type Settings } from './config/read-settings.ts';
import { checkSenders } from './config/read-start-runs.ts';
import { readDeadLetters, readStep } from './config/read-steps.ts';
import { entriesOf, Problems } from './config/section.ts';
import { DURABLE_EVENTS } from './config/unread-settings.ts';
import type { DeadLetterMapping, DurableDeployment, FunctionRole } from './deployment.ts';
import { allSteps, type DurableFunction, type DurableStep, type EngineFunction } from './durable-service.ts';
import { readTags } from './resources/tags.ts';

/**
 * Reads the durable steps of a serverless.yml whose variables are resolved, and fills in every default.
 *
 * @throws ConfigurationError with every mistake of the file at once: its path, what was expected, what was got, and
 * what to do.
 */
export function readDurableService(config: unknown): DurableDeployment {
  const { custom, provider, functions } = entriesOf(config);
  const problems = new Problems();
  const settings = readSettings(custom, problems);
  const entries = readFunctions(functions, providerDefaults(provider, settings));
  const events = new EventReader(entriesOf(functions), providerDefaults(provider, settings), settings, problems);
  for (const entry of entries) {
    events.read(entry);
    if (settings.startRuns?.functions.includes(entry.function.functionKey) === true) events.readSender(entry);
  }
  if (events.roles.size > 0) checkEnvironment('provider.environment', entriesOf(provider)['environment'], problems);
  const { prefix, resultsQueue, startRuns, containerSteps, kmsKey, payloadBucket, alarms, dashboard, metrics, loadCheck } = settings;
  const all = allSteps({ steps: events.steps, containerSteps });
  for (const step of events.steps) checkStep(step, problems);
  checkTogether(all, problems);
  if (settings.namespaced) checkPartitions(all, problems);
  checkRetention(payloadBucket, all, problems);
  checkConcurrency(events.steps, all.length, events.deadLetters, problems);
  if (events.engine !== undefined)
    checkEngine(events.engine, { prefix, resultsQueue, startRuns, otherEvents: events.besideEngine() }, problems);
  checkPlainEvents(
    entries,
    { steps: all, engine: events.engine, engineQueues: engineQueues({ prefix, resultsQueue, startRuns }) },
    problems,
  );
  checkSenders(
    startRuns,
    entries.map((entry) => entry.function.functionKey),
    problems,
  );
  if (problems.lines.length > 0) throw new ConfigurationError(mistakes(problems.lines));
  return {
    prefix,
    resultsQueue,
    startRuns,
    steps: events.steps,
    containerSteps,
    deadLetters: events.deadLetters?.function,
    deadLetterMapping: events.deadLetters?.mapping,
    engine: events.engine,
    kmsKey,
    payloadBucket,
    alarms,
    dashboard,
    metrics,
    loadCheck,
    tags: readTags(provider),
    roles: events.roles,
  };
}

/** The functions that have a durable event: these get an environment and rights. */
export function durableFunctions({ steps, deadLetters, engine }: Pick<DurableDeployment, 'steps' | 'deadLetters' | 'engine'>) {
  const all = [...steps.map((step) => step.function), deadLetters, engine?.function].filter((fn) => fn !== undefined);
  return [...new Map(all.map((fn) => [fn.functionKey, fn])).values()];
}

/** All functions that get rights: those with a durable event, and those that may start runs. */
export function functionsWithRights(service: Pick<DurableDeployment, 'steps' | 'deadLetters' | 'engine' | 'startRuns'>) {
  const keys = [...durableFunctions(service).map(({ functionKey }) => functionKey), ...(service.startRuns?.functions ?? [])];
  return [...new Set(keys)].map((functionKey) => ({ functionKey }));
}

class EventReader {
  readonly steps: DurableStep[] = [];
  readonly roles = new Map<string, FunctionRole>();
  deadLetters: { function: DurableFunction; mapping: DeadLetterMapping } | undefined;
  engine: EngineFunction | undefined;
  readonly #functions: Readonly<Record<string, unknown>>;
  readonly #defaults: Defaults;
  readonly #settings: Settings;
  readonly #problems: Problems;

  constructor(functions: Readonly<Record<string, unknown>>, defaults: Defaults, settings: Settings, problems: Problems) {
    this.#functions = functions;
    this.#defaults = defaults;
    this.#settings = settings;
    this.#problems = problems;
  }

  read(entry: FunctionEntry): void {
    const durable = entry.events.filter(({ event }) => DURABLE_EVENTS.some((name) => name in event));
    if (durable.length === 0) return;
    const given = this.#functions[entry.function.functionKey];
    checkFunction(entry, given, this.#problems);
    this.roles.set(entry.function.functionKey, readRole(entry.path, given, this.#defaults, this.#problems));
    for (const { path, event } of durable) {
      if ('durableStep' in event) this.#readStep(entry.function, `${path}.durableStep`, event['durableStep']);
      else if ('durableWorkflow' in event) this.#readStep(entry.function, `${path}.durableWorkflow`, event['durableWorkflow']);
      else if ('durableDeadLetters' in event)
        this.#readDeadLetters(entry.function, `${path}.durableDeadLetters`, event['durableDeadLetters']);
      else this.#readEngine(entry.function, `${path}.durableEngine`, event['durableEngine']);
    }
  }

  /** A function that may start runs gets rights and an environment, whatever else it is. */
  readSender({ path, function: { functionKey } }: FunctionEntry): void {
    if (this.roles.has(functionKey)) return;
    const given = this.#functions[functionKey];
    checkEnvironment(`${path}.environment`, entriesOf(given)['environment'], this.#problems);
    this.roles.set(functionKey, readRole(path, given, this.#defaults, this.#problems));
  }

  #readStep(fn: DurableFunction, path: string, value: unknown): void {
    const step = readStep(value, path, fn, this.#settings.prefix, this.#problems);
    if (step !== undefined) this.steps.push(step);
  }

  /** Paths of the other durable events of the function that is the engine. */
  besideEngine(): string[] {
    const key = this.engine?.function.functionKey;
    const others = [
      ...this.steps,
      ...(this.deadLetters === undefined ? [] : [{ ...this.deadLetters, path: this.deadLetters.mapping.path }]),
    ];
    return others.filter((other) => other.function.functionKey === key).map(({ path }) => path);
  }

  #readEngine(fn: DurableFunction, path: string, value: unknown): void {
    const engine = readEngine(value, path, fn, this.#problems);
    if (this.engine !== undefined) {
      this.#problems.add(path, `expected one function as the engine, got ${this.engine.path} too; remove one`);
    }
    this.engine ??= engine;
  }

  #readDeadLetters(fn: DurableFunction, path: string, value: unknown): void {
    const mapping = readDeadLetters(value, path, this.#problems);
    if (this.deadLetters !== undefined) {
      this.#problems.add(path, `expected one function for all dead letters, got ${this.deadLetters.mapping.path} too; remove one`);
    }
    this.deadLetters ??= { function: fn, mapping };
  }
}

function providerDefaults(provider: unknown, { perFunctionRoles }: Settings): Defaults {
  const { runtime, timeout, role, iam } = entriesOf(provider);
  // `iam.role` may also be an object of settings of the role that serverless makes.
  const iamRole = entriesOf(iam)['role'];
  const existing = typeof iamRole === 'string' || Object.keys(entriesOf(iamRole)).some((key) => key.includes('::')) ? iamRole : role;
  return { runtime, timeout, role: existing, perFunctionRoles };
}

/** All mistakes of a file as one message. @param lines one per mistake */
export function mistakes(lines: readonly string[]): string {
  const count = lines.length === 1 ? 'one mistake' : `${lines.length} mistakes`;
  return `serverless.yml has ${count} in its durable steps:\n${lines.map((line) => `  - ${line}`).join('\n')}`;
}
