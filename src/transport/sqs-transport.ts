import {
  type GroupHealth,
  type Heartbeat,
  type RemoteTask,
  type StartRunMessage,
  type StepResult,
  sanitizeQueueToken,
  type Transport,
  tenantGroup,
  type WorkflowDecision,
  type WorkflowTask,
} from '@dudousxd/nestjs-durable-core';
import { type ContainerStepFunction, type FromJson, isStepFunction } from '../container/container-step.ts';
import { TaskWorker } from '../container/task-worker.ts';
import { ConfigurationError, QueueNotFoundError } from '../errors.ts';
import { defaultLogger, errorFields, safeLogger } from '../logger.ts';
import { aBoolean, checkOptions } from '../options.ts';
import { sqsApi } from '../sqs/api-calls.ts';
import { DELETE_LINGER_MS } from '../sqs/in-flight-messages.ts';
import { localQueueNames } from '../sqs/local-queues.ts';
import { openSqs } from '../sqs/open-sqs.ts';
import { QueueDirectory } from '../sqs/queue-directory.ts';
import { Sender } from '../sqs/sender.ts';
import type { ClosableOperations } from '../sqs/sqs-operations.ts';
import type { StepContext } from '../step/step-context.ts';
import { systemTiming } from '../time.ts';
import type { StartRun } from '../wire/start-run.ts';
import { Dispatcher } from './dispatcher.ts';
import type { AttachableEngine } from './engine/attachable-engine.ts';
import { QueueHealth } from './queue-health.ts';
import { ResultReceiver } from './results/result-receiver.ts';
import { type AttachOptions, Session } from './session.ts';
import { RunStarts } from './starts/run-starts.ts';
import { readTransportOptions, type SqsTransportOptions } from './transport-options.ts';
import type { TransportParts } from './transport-parts.ts';
import { WorkflowTurns } from './workflow-turns.ts';

const MAX_HOLD_MS = 60_000;
const HOLD_NOT_ATTACHED_MS = 250;
/** Kubernetes kills a pod 30 s after SIGTERM, and Nest's drain of the engine takes up to 10 s before this. */
const CLOSE_TIMEOUT_MS = 15_000;
const CLOSED_TOO_EARLY =
  'closed before everything was finished: dispatches under way end with the process, messages in flight will be redelivered';

/**
 * nestjs-durable's transport over AWS SQS: sends tasks to each step's own queue, and long-polls the results queue.
 *
 * ```ts
 * const transport = new SqsTransport({ client: new SQSClient({ region: 'us-east-1' }), autoCreate: true });
 * const engine = new WorkflowEngine({ store, transport });
 * transport.attach(engine);
 * ```
 *
 * A drop-in for the published `@dudousxd/nestjs-durable-transport-sqs`. Attached, it gives its engine each result when
 * the engine can take it. Not attached, it goes by the clock, which costs `resultHoldMs` in each run's first step.
 */
export class SqsTransport implements Transport {
  readonly #operations: ClosableOperations;
  readonly #parts: TransportParts;
  readonly #dispatcher: Dispatcher;
  readonly #health: QueueHealth;
  readonly #workflowTurns: WorkflowTurns;
  readonly #runStarts: RunStarts;
  readonly #onError: SqsTransportOptions['onError'];
  #session: Session;

  /** @throws ConfigurationError for an option that is unknown, of the wrong type or out of range. */
  constructor(options: SqsTransportOptions = {}) {
    const read = readTransportOptions(options);
    const { client, clientConfig, visibilityTimeoutSec, dispatchTimeoutMs } = read;
    const logger = safeLogger(options.logger ?? defaultLogger('warn'));
    this.#operations = openSqs({ client, clientConfig });
    const api = sqsApi(this.#operations);
    const queueNames = () => localQueueNames({ client, clientConfig });
    const queues = new QueueDirectory({ ...read, api, stepTimeoutSeconds: visibilityTimeoutSec, queueNames });
    this.#parts = { ...read, api, sender: new Sender(api), queues, onError: this.#survived, logger, timing: systemTiming };
    this.#onError = read.onError;
    this.#dispatcher = new Dispatcher({ ...this.#parts, timeoutMs: dispatchTimeoutMs });
    this.#health = new QueueHealth(queues, api, logger);
    this.#workflowTurns = new WorkflowTurns({ ...this.#parts, send: (task) => this.#dispatcher.sendTurn(task) });
    this.#runStarts = new RunStarts(this.#parts);
    this.#session = this.#newSession();
  }

  /**
   * Has the engine take one turn of a run at a time, in this process and in all on its store, and orders results by
   * that. Call it right after the engine was made, before its first run. With `poll` it also runs the engine's passes.
   *
   * Works without, less tightly: see `resultHoldMs`.
   * @throws ConfigurationError for what is no engine, or lacks a method that this rests on, and for a second engine.
   */
  attach(engine: AttachableEngine, options: AttachOptions = {}): void {
    checkOptions('SqsTransport.attach', options, { poll: aBoolean });
    this.#openSession().attach(engine, options);
  }

  /**
   * Engine → worker. Resolves once SQS has accepted the task.
   *
   * A send that got no answer is sent again. SQS may have accepted both, and the step may then run twice.
   * @throws TaskTooLargeError, QueueNotFoundError, ConfigurationError, SqsRequestError (a definite refusal),
   * PayloadStoreError, DispatchTimeoutError
   */
  async dispatch(task: RemoteTask): Promise<void> {
    // After `close()` too: Nest's pass over due timers outlives its drain, and a refusal would fail runs for good.
    const { engine, phase } = this.#session;
    if (phase === 'waiting') this.#session.expectStart();
    engine.dispatching(task);
    try {
      await this.#dispatcher.send(task);
    } finally {
      engine.dispatched(task);
    }
  }

  /**
   * Worker → engine. The engine calls this in its constructor. After `close()` the transport serves another engine.
   * @throws ConfigurationError for a second engine before that.
   */
  onResult(handler: (result: StepResult) => Promise<void>): void {
    const session = this.#openSession();
    const receiver = new ResultReceiver({
      ...this.#parts,
      queues: {
        resultsQueueUrl: async () => {
          const queueUrl = await this.#parts.queues.resultsQueueUrl();
          session.resultsQueueFound(queueUrl);
          return queueUrl;
        },
      },
      // A result that is redelivered because its delete was lost does the engine no harm.
      deleteLingerMs: DELETE_LINGER_MS,
      session,
      handler,
      decisionHandler: (decision) => this.#workflowTurns.handler?.(decision) ?? Promise.resolve(),
      maxHoldMs: this.#parts.resultHoldMs ?? MAX_HOLD_MS,
    });
    session.serve(receiver);
  }

  /**
   * Engine → worker: a turn of a workflow whose code runs on a worker (`engine.remote`). Resolves once SQS has accepted
   * it, or once its run has failed because SQS never will.
   */
  dispatchWorkflowTask(task: WorkflowTask): Promise<void> {
    return this.#workflowTurns.dispatch(task);
  }

  /** Worker → engine: what a turn came to. The engine calls this in its constructor. */
  onDecision(handler: (decision: WorkflowDecision) => Promise<void>): void {
    this.#workflowTurns.handler = handler;
  }

  /**
   * Anybody → engine: starts a run by message. Resolves once SQS has accepted it; the run begins when an engine with
   * `startRuns` receives it.
   *
   * A start without a `runId` gets one here. A function has `startRun` of `durable-sqs-lambda/client` for it.
   * @throws InvalidMessageError, QueueNotFoundError, SqsRequestError, PayloadStoreError
   */
  dispatchStartRun(start: StartRun): Promise<void> {
    return this.#runStarts.send(start);
  }

  /** The engine calls this in its constructor. Starts are received only with the option `startRuns`. */
  onStartRun(handler: (start: StartRunMessage) => Promise<void>): void {
    this.#runStarts.serve(handler, () => this.#openSession());
  }

  /** Workers on SQS send no heartbeats: a task is theirs for as long as its message is hidden. */
  onHeartbeat(_handler: (beat: Heartbeat) => Promise<void>): void {}

  /**
   * Serves a step from this process: long-polls the queue of `group`, else of the step's own name and partition.
   *
   * Does nothing with `consumeTasks: false`.
   * @throws ConfigurationError for what is no function.
   */
  handle<Input = FromJson, Output = unknown>(name: string, fn: ContainerStepFunction<Input, Output>, partition?: string): void;
  handle(name: string, fn: (input: never, step: StepContext) => unknown, partition?: string): void {
    if (!this.#parts.consumeTasks) return;
    if (!isStepFunction(fn)) throw new ConfigurationError(`SqsTransport.handle("${name}"): expected a function, got ${typeof fn}`);
    const session = this.#openSession();
    session.steps.set(name, { run: fn });
    const token = this.#parts.group ?? tenantGroup(sanitizeQueueToken(name), partition);
    session.work(token, () => this.#taskWorker(token, session));
  }

  /** Starts receiving, with `autoStart: false`: once workflows are registered (NestJS: the root's `onModuleInit`). */
  start(): void {
    this.#session.start();
  }

  /**
   * Depth of a tasks queue, and one worker that stands for Lambda; no depth and no worker where there is no such queue.
   * Creates none.
   *
   * Never rejects: where SQS throttles or denies, it keeps to what it last knew, and a log line says why.
   */
  groupHealth(group: string): Promise<GroupHealth> {
    return this.#health.of(group);
  }

  /**
   * Stops receiving, lets what is with the engine and with handlers finish (they may still dispatch), has what nobody
   * has seen redelivered, and waits for dispatches and deletes. Takes `timeoutMs` at most: 15,000 by default.
   *
   * After that the transport can be used again: for another engine, and for steps that are to be served.
   */
  close({ timeoutMs = CLOSE_TIMEOUT_MS }: { readonly timeoutMs?: number } = {}): Promise<void> {
    const session = this.#session;
    return session.close(
      timeoutMs,
      async () => {
        await Promise.all([this.#dispatcher.idle(), this.#runStarts.idle()]);
      },
      (inTime) => {
        if (!inTime) this.#parts.logger.warn(CLOSED_TOO_EARLY, { timeoutMs, dispatches: this.#dispatcher.underWay });
        if (this.#session === session) this.#operations.destroy();
      },
    );
  }

  #openSession(): Session {
    if (this.#session.phase === 'closed') this.#session = this.#newSession();
    return this.#session;
  }

  #newSession(): Session {
    const { autoStart, resultHoldMs } = this.#parts;
    const holdMs = resultHoldMs ?? HOLD_NOT_ATTACHED_MS;
    return new Session({ autoStart, holdMs, logger: this.#parts.logger });
  }

  #taskWorker(token: string, { steps }: Session): TaskWorker {
    const { queues, visibilityTimeoutSec, marker, payloadStore } = this.#parts;
    return new TaskWorker({
      ...this.#parts,
      visibilityTimeoutSeconds: visibilityTimeoutSec,
      marker,
      payloadStore,
      queueUrl: () => queues.tasksQueueUrl(token),
      resultsQueueUrl: () => queues.resultsQueueUrl(),
      steps,
    });
  }

  readonly #survived = async (error: unknown, queueUrl: string | undefined): Promise<void> => {
    if (error instanceof QueueNotFoundError && queueUrl !== undefined) this.#parts.queues.forget(queueUrl);
    try {
      // It may be async, whatever its type says.
      await this.#onError?.(error);
    } catch (thrown) {
      this.#parts.logger.error('onError threw', errorFields(thrown));
    }
  };
}
