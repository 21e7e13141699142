import {
  type GroupHealth,
  type Heartbeat,
  type RemoteTask,
  type StepResult,
  sanitizeQueueToken,
  type Transport,
  tenantGroup,
} from '@dudousxd/nestjs-durable-core';
import { type ContainerStepFunction, type FromJson, isStepFunction } from '../container/container-step.ts';
import { TaskWorker } from '../container/task-worker.ts';
import { ConfigurationError, QueueNotFoundError } from '../errors.ts';
import { defaultLogger, errorFields, type Logger, safeLogger } from '../logger.ts';
import { type OpenedClients, openClients } from '../sqs/clients.ts';
import { DELETE_LINGER_MS } from '../sqs/in-flight-messages.ts';
import { QueueDirectory } from '../sqs/queue-directory.ts';
import { Sender } from '../sqs/sender.ts';
import type { ServedStep } from '../step/run-task.ts';
import type { StepContext } from '../step/step-context.ts';
import { systemTiming, within } from '../time.ts';
import { kindOf } from '../wire/json.ts';
import { type AttachableEngine, continueRun, restoreEnd } from './continue-run.ts';
import { Dispatcher } from './dispatcher.ts';
import { EventTurns } from './event-turns.ts';
import { groupHealth } from './group-health.ts';
import { OverwrittenRuns } from './overwritten-runs.ts';
import { ResultOrder } from './result-order.ts';
import { ResultReceiver } from './result-receiver.ts';
import { TimedTurns } from './timed-turns.ts';
import { readTransportOptions, type SqsTransportOptions } from './transport-options.ts';

const HOLD_ATTACHED_MS = 60_000;
const HOLD_NOT_ATTACHED_MS = 250;
/** Longer than a store takes to save a checkpoint, its slow calls included. */
const FAN_OUT_QUIET_MS = 250;
const CLOSE_TIMEOUT_MS = 30_000;
const FIFO_NOT_ATTACHED =
  'a FIFO results queue without attach(engine): a step with timeoutMs behind another step is shut out by its own run, and times out';

/**
 * nestjs-durable's transport over AWS SQS: sends tasks to each step's own queue, and long-polls the results queue.
 *
 * ```ts
 * const transport = new SqsTransport({ client: new SQSClient({ region: 'us-east-1' }), autoCreate: true });
 * const engine = new WorkflowEngine({ store, transport });
 * transport.attach(engine);
 * ```
 *
 * A drop-in for the published `@dudousxd/nestjs-durable-transport-sqs`. Attached to its engine it hands over each result at the moment
 * the engine can take it; not attached it goes by the clock, which costs `resultHoldMs` in each run's first step.
 */
export class SqsTransport implements Transport {
  readonly #options: ReturnType<typeof readTransportOptions>;
  readonly #clients: OpenedClients;
  readonly #queues: QueueDirectory;
  readonly #sender: Sender;
  readonly #dispatcher: Dispatcher;
  readonly #logger: Logger;
  readonly #steps = new Map<string, ServedStep>();
  readonly #workers = new Map<string, TaskWorker>();
  #order: ResultOrder;
  #engine: AttachableEngine | undefined;
  #eventTurns: EventTurns | undefined;
  #overwritten: OverwrittenRuns | undefined;
  #detach: (() => void) | undefined;
  #receiver: ResultReceiver | undefined;
  #startTimer: NodeJS.Immediate | undefined;
  #started = false;
  #closing: Promise<void> | undefined;

  /** @throws ConfigurationError for an option that is unknown, of the wrong type or out of range. */
  constructor(options: SqsTransportOptions = {}) {
    this.#options = readTransportOptions(options);
    const { client, clientConfig, prefix, autoCreate, visibilityTimeoutSec, fifo, taskQueueUrl, resultsQueueUrl } = this.#options;
    this.#logger = safeLogger(options.logger ?? defaultLogger('warn'));
    this.#clients = openClients({ client, clientConfig });
    this.#sender = new Sender(this.#clients.api);
    this.#queues = new QueueDirectory({
      api: this.#clients.api,
      prefix,
      autoCreate,
      stepTimeoutSeconds: visibilityTimeoutSec,
      fifo,
      taskQueueUrl,
      resultsQueueUrl,
    });
    this.#dispatcher = new Dispatcher({
      sender: this.#sender,
      queues: this.#queues,
      namespace: this.#options.namespace,
      marker: this.#options.marker,
      messageGroupId: this.#options.messageGroupId,
      payloadStore: this.#options.payloadStore,
      timeoutMs: this.#options.dispatchTimeoutMs,
      logger: this.#logger,
      timing: systemTiming,
    });
    const holdMs = this.#options.resultHoldMs ?? HOLD_NOT_ATTACHED_MS;
    this.#order = new ResultOrder(() => new TimedTurns(holdMs), this.#options.resultHoldMs ?? HOLD_ATTACHED_MS);
  }

  /**
   * Orders results by the engine's own events. Call it right after the engine was made, before its first run.
   *
   * Works without, less tightly: see `resultHoldMs`.
   * @throws ConfigurationError for what is no engine, or a second one.
   */
  attach(engine: AttachableEngine): void {
    if (typeof engine?.subscribe !== 'function')
      throw new ConfigurationError(`SqsTransport.attach: expected the WorkflowEngine, got ${kindOf(engine)}`);
    if (this.#engine !== undefined) throw new ConfigurationError('SqsTransport.attach: this transport is attached to an engine already');
    this.#engine = engine;
    this.#order = new ResultOrder((onTurnEnd) => {
      this.#eventTurns = new EventTurns(onTurnEnd, FAN_OUT_QUIET_MS);
      return this.#eventTurns;
    }, this.#options.resultHoldMs ?? HOLD_ATTACHED_MS);
    const overwritten = new OverwrittenRuns((runId) => void restoreEnd(runId, engine, this.#logger));
    this.#overwritten = overwritten;
    this.#detach = engine.subscribe((event) => {
      this.#eventTurns?.event(event);
      overwritten.event(event);
    });
  }

  /**
   * Engine → worker. Resolves once SQS has accepted the task.
   *
   * A send that failed without an answer may still have been accepted; it is sent again, and the step may then run twice.
   * @throws TaskTooLargeError, QueueNotFoundError, ConfigurationError, SqsRequestError (a definite refusal), PayloadStoreError,
   * DispatchTimeoutError
   */
  async dispatch(task: RemoteTask): Promise<void> {
    // After `close()` too: a pass over due timers outlives Nest's drain of the engine, and a refusal here would fail its runs for good.
    this.#order.dispatching(task);
    if (this.#eventTurns?.passesThrough(task)) this.#receiver?.turnAwaits(task.runId);
    try {
      await this.#dispatcher.send(task);
    } finally {
      this.#order.dispatched(task);
    }
  }

  /**
   * Worker → engine. The engine calls this in its constructor.
   * @throws ConfigurationError for a second engine.
   */
  onResult(handler: (result: StepResult) => Promise<void>): void {
    if (this.#receiver !== undefined) {
      throw new ConfigurationError('SqsTransport.onResult: expected one engine per transport, got a second one; make a transport for each');
    }
    this.#receiver = new ResultReceiver({
      api: this.#clients.api,
      queueUrl: () => this.#queues.resultsQueueUrl(),
      waitTimeSeconds: this.#options.waitTimeSeconds,
      // A result that comes again because its delete was lost does the engine no harm.
      deleteLingerMs: DELETE_LINGER_MS,
      marker: this.#options.marker,
      payloadStore: this.#options.payloadStore,
      order: () => this.#order,
      handler,
      turnMissing: (result) => this.#eventTurns?.turnMissing(result) ?? false,
      continueRun: async ({ runId }) => {
        if (this.#engine === undefined || this.#eventTurns === undefined) return;
        if (await continueRun(runId, this.#engine, this.#eventTurns, systemTiming)) this.#overwritten?.ended(runId);
      },
      takenForOther: ({ runId }) => this.#overwritten?.takenForOther(runId),
      saved: (result) => this.#eventTurns?.saved(result) ?? false,
      onError: this.#survived,
      logger: this.#logger,
      timing: systemTiming,
    });
    this.#autoStart();
  }

  /** Workers on SQS send no heartbeats: a task is theirs for as long as its message is hidden. */
  onHeartbeat(_handler: (beat: Heartbeat) => Promise<void>): void {}

  /**
   * Serves a step from this process: long-polls the queue of `group`, or of the step's own name and partition where there is no `group`.
   *
   * Does nothing with `consumeTasks: false`.
   * @throws ConfigurationError for what is no function.
   */
  handle<Input = FromJson, Output = unknown>(name: string, fn: ContainerStepFunction<Input, Output>, partition?: string): void;
  handle(name: string, fn: (input: never, step: StepContext) => unknown, partition?: string): void {
    if (!this.#options.consumeTasks) return;
    if (!isStepFunction(fn)) throw new ConfigurationError(`SqsTransport.handle("${name}"): expected a function, got ${typeof fn}`);
    this.#steps.set(name, { run: fn });
    const token = this.#options.group ?? tenantGroup(sanitizeQueueToken(name), partition);
    if (!this.#workers.has(token)) this.#workers.set(token, this.#taskWorker(token));
    this.#autoStart();
  }

  /** Starts receiving, where `autoStart` is off: after the workflows are registered (NestJS: in the root module's `onModuleInit`). */
  start(): void {
    if (this.#closing !== undefined) return;
    if (!this.#started && this.#receiver !== undefined && this.#engine === undefined && this.#options.fifo.results)
      this.#logger.warn(FIFO_NOT_ATTACHED, {});
    this.#started = true;
    this.#receiver?.start();
    for (const worker of this.#workers.values()) worker.start();
  }

  /** Depth of a tasks queue, and one worker that stands for Lambda; no depth and no worker where there is no such queue. Creates none. */
  groupHealth(group: string): Promise<GroupHealth> {
    return groupHealth(group, this.#queues, this.#clients.api);
  }

  /**
   * Stops receiving, lets what is with the engine and with handlers finish (they may still dispatch), gives back what nobody has seen,
   * flushes sends and deletes. Takes `timeoutMs` at most: 30,000 by default.
   */
  close({ timeoutMs = CLOSE_TIMEOUT_MS }: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async #close(timeoutMs: number): Promise<void> {
    clearImmediate(this.#startTimer);
    const workers = [...this.#workers.values()];
    const finished = (async () => {
      await Promise.all([this.#receiver?.stop(), ...workers.map((worker) => worker.stop())]);
      this.#order.close();
      await Promise.all([this.#receiver?.settled(), ...workers.map((worker) => worker.settled())]);
      await this.#sender.idle();
    })();
    const inTime = await within(timeoutMs, finished);
    if (!inTime) {
      this.#logger.warn('closed before everything was finished; what was not will be delivered again', { timeoutMs });
      this.#order.close();
      this.#receiver?.abandon();
      for (const worker of workers) worker.abort();
    }
    this.#detach?.();
    this.#overwritten?.stop();
    this.#clients.destroy();
  }

  #autoStart(): void {
    if (this.#started) {
      this.start();
    } else if (this.#options.autoStart && this.#closing === undefined) {
      // One macrotask later: workflows are registered right after the engine is made, and must be before a result comes.
      this.#startTimer ??= setImmediate(() => this.start());
    }
  }

  #taskWorker(token: string): TaskWorker {
    return new TaskWorker({
      api: this.#clients.api,
      sender: this.#sender,
      queueUrl: () => this.#queues.tasksQueueUrl(token),
      resultsQueueUrl: () => this.#queues.resultsQueueUrl(),
      steps: this.#steps,
      concurrency: this.#options.concurrency,
      waitTimeSeconds: this.#options.waitTimeSeconds,
      visibilityTimeoutSeconds: this.#options.visibilityTimeoutSec,
      marker: this.#options.marker,
      payloadStore: this.#options.payloadStore,
      onError: this.#survived,
      logger: this.#logger,
      timing: systemTiming,
    });
  }

  readonly #survived = (error: unknown, queueUrl: string | undefined): void => {
    if (error instanceof QueueNotFoundError && queueUrl !== undefined) this.#queues.forget(queueUrl);
    try {
      this.#options.onError?.(error);
    } catch (thrown) {
      this.#logger.error('onError threw', errorFields(thrown));
    }
  };
}
