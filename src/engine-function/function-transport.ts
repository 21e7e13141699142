import type {
  Heartbeat,
  RemoteTask,
  StartRunMessage,
  StepResult,
  Transport,
  WorkflowDecision,
  WorkflowTask,
} from '@dudousxd/nestjs-durable-core';
import { StepTimeoutUnsupportedError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { QueueDirectory } from '../sqs/queue-directory.ts';
import { Sender } from '../sqs/sender.ts';
import type { ResultSender } from '../sqs/sqs-api.ts';
import { systemTiming } from '../time.ts';
import { Dispatcher } from '../transport/dispatcher.ts';
import type { ResultOrder } from '../transport/engine/result-order.ts';
import type { Turns } from '../transport/engine/turns.ts';
import type { StartHandler } from '../transport/starts/message-starts.ts';
import { StartSender } from '../transport/starts/start-sender.ts';
import { WorkflowTurns } from '../transport/workflow-turns.ts';
import type { StartRun } from '../wire/start-run.ts';
import type { ReadEngineOptions } from './engine-options.ts';
import { OpenWork } from './open-work.ts';

export interface FunctionTransportOptions extends ReadEngineOptions {
  readonly api: ResultSender;
  readonly onFailure: (error: unknown, queueUrl: string | undefined) => void;
  readonly logger: Logger;
}

/** Of steps that `autoCreate` would size queues for; a function makes none. */
const NO_STEP_TIMEOUT = 0;
const NOT_MADE_HERE = async (): Promise<never> => {
  throw new TypeError('a function makes no queues');
};

/**
 * The transport of an engine in a Lambda function. It sends tasks, as `SqsTransport` does, and polls nothing: results,
 * decisions and wake-ups come as records.
 */
export class FunctionTransport implements Transport {
  /** The engine that dispatches are told to, once it is there. */
  engine: Pick<ResultOrder<Turns>, 'dispatching' | 'dispatched'> | undefined;
  readonly #dispatcher: Dispatcher;
  readonly #turns: WorkflowTurns;
  readonly #starts: StartSender;
  #resultHandler: ((result: StepResult) => Promise<void>) | undefined;
  #startHandler: StartHandler | undefined;

  constructor(options: FunctionTransportOptions) {
    const { api, prefix, dispatchTimeoutMs, onFailure: onError, logger } = options;
    const queues = new QueueDirectory({
      api: { ...api, createQueue: NOT_MADE_HERE, queueAttributes: NOT_MADE_HERE },
      prefix,
      prefixSource: options.prefix === undefined ? 'environment' : 'option',
      autoCreate: false,
      stepTimeoutSeconds: NO_STEP_TIMEOUT,
    });
    const shared = { logger, timing: systemTiming };
    this.#dispatcher = new Dispatcher({ ...options, ...shared, sender: new Sender(api), queues, timeoutMs: dispatchTimeoutMs });
    this.#starts = new StartSender({ ...options, ...shared, sender: new Sender(api), queues, timeoutMs: dispatchTimeoutMs });
    this.#turns = new WorkflowTurns({ ...shared, send: (task) => this.#dispatcher.sendTurn(task), dispatchTimeoutMs, onError });
  }

  /** The engine's. Undefined before an engine was made with this transport. */
  get resultHandler(): ((result: StepResult) => Promise<void>) | undefined {
    return this.#resultHandler;
  }

  /** The engine's, for starts by message. */
  get startHandler(): StartHandler | undefined {
    return this.#startHandler;
  }

  decided(decision: WorkflowDecision): Promise<void> {
    return this.#turns.handler?.(decision) ?? Promise.resolve();
  }

  /**
   * Engine → worker. Resolves once SQS has accepted the task.
   * @throws StepTimeoutUnsupportedError for a step with `timeoutMs`; else as `SqsTransport.dispatch`
   */
  async dispatch(task: RemoteTask): Promise<void> {
    const isAwaited = this.engine?.dispatching(task);
    try {
      if (isAwaited) throw new StepTimeoutUnsupportedError(task);
      await OpenWork.sent(() => this.#dispatcher.send(task));
    } finally {
      this.engine?.dispatched(task);
    }
  }

  /** Engine → worker: a turn of a workflow whose code runs on a worker (`engine.remote`). */
  dispatchWorkflowTask(task: WorkflowTask): Promise<void> {
    return OpenWork.sent(() => this.#turns.dispatch(task));
  }

  /** Anybody → engine: starts a run by message. Resolves once SQS has accepted it. */
  dispatchStartRun(start: StartRun): Promise<void> {
    return OpenWork.sent(() => this.#starts.send(start));
  }

  onStartRun(handler: (start: StartRunMessage) => Promise<void>): void {
    this.#startHandler = handler;
  }

  onResult(handler: (result: StepResult) => Promise<void>): void {
    this.#resultHandler = handler;
  }

  onDecision(handler: (decision: WorkflowDecision) => Promise<void>): void {
    this.#turns.handler = handler;
  }

  /** Workers on SQS send no heartbeats. */
  onHeartbeat(_handler: (beat: Heartbeat) => Promise<void>): void {}
}
