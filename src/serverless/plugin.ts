import { ConfigurationError } from '../errors.ts';
import { completedSettings, esbuildSettings } from './bundles/esbuild-settings.ts';
import { missingHandlers } from './bundles/handler-files.ts';
import { loadProblems } from './bundles/load-check.ts';
import { packagedFunctions } from './bundles/packaged-functions.ts';
import type { CommandContext } from './commands/context.ts';
import { commandHooks, durableCommands } from './commands/index.ts';
import { oslsContext } from './commands/osls-context.ts';
import { addResources, extendFunctions, patchEvents, setEnvironment, templateProblem } from './compile.ts';
import { entriesOf } from './config/section.ts';
import { DURABLE_EVENTS, unreadSettings, usesDurableSteps } from './config/unread-settings.ts';
import { engineSettings } from './deploying/engine-settings.ts';
import { DROP_TASKS, keepWaitingTasks } from './deploying/keep-tasks.ts';
import type { DurableDeployment } from './deployment.ts';
import type { Framework, Template } from './framework.ts';
import {
  bridgeModule,
  engineReplayProblem,
  eventHint,
  localStarterEnvironment,
  readReplay,
  replayEnvironment,
  whenLate,
} from './invoke-local.ts';
import { nodeProblem } from './node-version.ts';
import { durableFunctions, mistakes, readDurableService } from './read-service.ts';
import { starterEnvironment, workerEnvironment } from './resources/environment.ts';

const ERROR_CODE = 'DURABLE_CONFIGURATION';
/** The commands that make a template. Under all commands but these and the next two, the service stays as it is. */
const PACKAGING = ['package', 'deploy'];
const ONE_FUNCTION = 'deploy function';
const REPLAY = 'invoke local';
/** How long the deploy tool gets to print an error before the process is ended. */
const GRACE_MS = 2_000;

/**
 * Plugin of the deploy tool: `durableStep`, `durableWorkflow`, `durableDeadLetters` and `durableEngine` events become
 * queues, mappings, rights and alarms.
 */
export class DurableSqsLambdaPlugin {
  readonly commands = {
    invoke: {
      commands: {
        local: {
          options: { 'durable-send': { usage: 'Send the results to the results queue instead of printing them', type: 'boolean' } },
        },
      },
    },
    deploy: {
      options: { [DROP_TASKS]: { usage: 'Deploy although tasks wait in queues that this deletes', type: 'boolean' } },
    },
    ...durableCommands,
  };
  readonly hooks: Readonly<Record<string, () => void | Promise<void>>>;
  readonly #serverless: Framework;
  readonly #options: Readonly<Record<string, unknown>>;
  #deployment: DurableDeployment | undefined;
  #undoBridge: (() => Promise<void>) | undefined;
  #cancelEnd: (() => void) | undefined;

  constructor(serverless: Framework, options: Readonly<Record<string, unknown>>) {
    this.#serverless = serverless;
    this.#options = options;
    const tooOld = nodeProblem(process.versions.node);
    if (tooOld !== undefined) throw new serverless.classes.Error(tooOld, ERROR_CODE);
    // Before the tool validates the file: an event without a value is none to its schema.
    const unread = this.#readsService() ? unreadSettings(serverless.service) : [];
    if (unread.length > 0) throw new serverless.classes.Error(mistakes(unread), ERROR_CODE);
    // The schema accepts anything: `readDurableService` says more about a mistake than a schema can.
    for (const event of DURABLE_EVENTS) serverless.configSchemaHandler.defineFunctionEvent('aws', event, {});
    if (this.#is(...PACKAGING, ONE_FUNCTION, REPLAY)) this.#setUpBundler();
    this.hooks = {
      initialize: () => this.#initialize(),
      'package:compileFunctions': () =>
        this.#whilePackaging((deployment, template) => addResources(serverless.service, deployment, template)),
      'after:package:createDeploymentArtifacts': () => this.#checkBundles(),
      'after:deploy:function:packageFunction': () => this.#checkBundles(),
      'after:package:compileEvents': () => this.#whilePackaging(patchEvents),
      'after:aws:package:finalize:mergeCustomProviderResources': () =>
        this.#whilePackaging((deployment, template) => this.#check(deployment, template)),
      'before:aws:deploy:deploy:createStack': () => this.#whilePackaging((_, template) => keepWaitingTasks(this.#context(), template)),
      'after:deploy:deploy': () => this.#whilePackaging(() => this.#tellEngineSettings()),
      'before:invoke:local:invoke': () => this.#bridge(),
      'after:invoke:local:invoke': () => this.#undoBridge?.(),
      error: () => this.#endSoon(1),
      finalize: () => (this.#cancelEnd === undefined ? undefined : this.#endSoon(0)),
      ...commandHooks(() => this.#context()),
    };
  }

  /** The service of serverless.yml; read once, before the plugin changes it. */
  service(): DurableDeployment {
    this.#deployment ??= this.#read();
    return this.#deployment;
  }

  #initialize(): void {
    if (!this.#isUsed()) return;
    if (this.#is(...PACKAGING, ONE_FUNCTION, REPLAY)) this.#checkHandlers();
    if (this.#is(...PACKAGING)) extendFunctions(this.#serverless.service, this.service());
    // The command deploys exactly this environment. It leaves the function's role as it is.
    if (this.#is(ONE_FUNCTION))
      setEnvironment(this.#serverless.service, this.service(), workerEnvironment(this.service()), starterEnvironment(this.service()));
    if (this.#is(REPLAY)) {
      const deployment = this.service();
      const replay = this.#asUserError(() => readReplay(this.#options['durable-send'], process.env));
      const problem = engineReplayProblem(deployment, this.#options['function'], replay);
      if (problem !== undefined) throw new this.#serverless.classes.Error(problem, ERROR_CODE);
      const starts = localStarterEnvironment(deployment, process.env);
      setEnvironment(this.#serverless.service, deployment, replayEnvironment(deployment, replay, process.env), starts);
    }
  }

  #checkHandlers(): void {
    const { service, serviceDir, classes } = this.#serverless;
    const missing = missingHandlers(service, this.service(), serviceDir);
    if (missing.length > 0) throw new classes.Error(mistakes(missing), ERROR_CODE);
  }

  #read(): DurableDeployment {
    const { custom, provider, functions } = this.#serverless.service;
    return this.#asUserError(() => readDurableService({ custom, provider, functions }));
  }

  #context(): CommandContext {
    return oslsContext(this.#serverless, this.#options, () => this.service());
  }

  #whilePackaging(act: (deployment: DurableDeployment, template: Template) => void | Promise<void>): void | Promise<void> {
    const template = this.#serverless.service.provider.compiledCloudFormationTemplate;
    if (template !== undefined && this.#isUsed()) return act(this.service(), template);
  }

  /** A bundle that does not load fails every invocation, long after this command has ended well. */
  async #checkBundles(): Promise<void> {
    if (!this.#isUsed() || !this.service().loadCheck) return;
    const { service, serviceDir } = this.#serverless;
    const region = this.#serverless.getProvider('aws').getRegion();
    const problems = await loadProblems(packagedFunctions(service, this.service(), { serviceDir, region }), serviceDir);
    if (problems.length > 0) throw new this.#serverless.classes.Error(problems.join('\n'), ERROR_CODE);
  }

  async #tellEngineSettings(): Promise<void> {
    const lines = await engineSettings(this.#context());
    if (lines.length > 0) this.#serverless.addServiceOutputSection?.('durable engine', lines);
  }

  #check(deployment: DurableDeployment, template: Template): void {
    const problem = templateProblem(deployment, template);
    if (problem !== undefined) throw new this.#serverless.classes.Error(problem, ERROR_CODE);
  }

  async #bridge(): Promise<void> {
    // NODE_OPTIONS has no effect on a process that runs already.
    process.setSourceMapsEnabled(true);
    const { service, serviceDir } = this.#serverless;
    const key = this.#options['function'];
    const handler = typeof key === 'string' ? service.functions[key]?.handler : undefined;
    if (handler === undefined) return;
    this.#undoBridge = await bridgeModule(serviceDir, handler);
    const hint = this.#isUsed() ? eventHint(this.service(), key, this.#options['data']) : undefined;
    if (hint !== undefined) process.stderr.write(`${hint}\n`);
    const durable = this.#isUsed() ? durableFunctions(this.service()).find(({ functionKey }) => functionKey === key) : undefined;
    if (durable !== undefined)
      this.#cancelEnd = whenLate(durable.functionKey, durable.timeoutSeconds, (problem) => void this.#endNow(problem));
  }

  /** Completes the settings of the bundler, before it reads them. */
  #setUpBundler(): void {
    const { custom } = this.#serverless.service;
    if (typeof custom !== 'object' || custom === null) return;
    const esbuild = esbuildSettings(entriesOf(custom)['esbuild'], this.#serverless.serviceDir, this.#serverless);
    Object.assign(custom, { esbuild: Object.assign(esbuild, completedSettings(esbuild)) });
  }

  /**
   * Ends the process after an error or a replay, although a timer or connection that the handler left open (Lambda
   * would freeze it) keeps it alive. The unreferenced timer here does not.
   */
  async #endSoon(code: number): Promise<void> {
    if (!this.#is(...PACKAGING, ONE_FUNCTION, REPLAY)) return;
    this.#cancelEnd?.();
    setTimeout(() => process.exit(process.exitCode ?? code), GRACE_MS).unref();
    await this.#undoBridge?.();
  }

  async #endNow(problem: string): Promise<void> {
    process.stderr.write(`${problem}\n`);
    await this.#undoBridge?.();
    process.exit(1);
  }

  #is(...commands: readonly string[]): boolean {
    return commands.includes(this.#serverless.processedInput.commands.join(' '));
  }

  #isUsed(): boolean {
    return usesDurableSteps(this.#serverless.service);
  }

  /**
   * Whether the command needs what serverless.yml says of durable steps. Any other must not fail over a mistake there.
   */
  #readsService(): boolean {
    return this.#is(...PACKAGING, ONE_FUNCTION, REPLAY) || this.#serverless.processedInput.commands[0] === 'durable';
  }

  /** Turns a `ConfigurationError` into an error that the deploy tool prints without a stack. */
  #asUserError<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw error instanceof ConfigurationError ? new this.#serverless.classes.Error(error.message, ERROR_CODE) : error;
    }
  }
}
