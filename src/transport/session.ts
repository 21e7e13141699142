import { ConfigurationError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { ServedStep } from '../step/step-tasks.ts';
import { within } from '../time.ts';
import { isFifoQueue } from '../topology/fifo-queues.ts';
import type { AttachableEngine } from './engine/attachable-engine.ts';
import { AttachedEngine } from './engine/attached-engine.ts';
import type { ResultSource } from './engine/given.ts';
import { UnattachedEngine } from './engine/unattached-engine.ts';

/** Long-polls a queue, for results, for starts or for the tasks of a step; or polls the engine's store. */
export interface Consumer {
  start(): void;
  /** Stops receiving. What is under way goes on. */
  stop(): Promise<void>;
  /** Resolves when nothing is under way and SQS has been told. */
  settled(): Promise<void>;
  /** Gives up what is under way: SQS delivers it again. */
  abandon(): void;
}

export interface SessionOptions {
  readonly autoStart: boolean;
  /** How long a transport that is not attached holds a result past the dispatches of its run. */
  readonly holdMs: number;
  readonly logger: Logger;
}

/** How a transport serves its engine. */
export interface AttachOptions {
  /**
   * Runs the engine's passes over its runs, once a second: `runPending`, `recoverIncomplete`, `resumeDueTimers`,
   * `sweepTimeouts`. Of all instances on one store one does at a time, and another takes over within ten seconds of its
   * death. Not for NestJS, whose module polls by itself. @default false
   */
  readonly poll?: boolean;
}

/** Receives results. */
export interface ResultConsumer extends Consumer, ResultSource {
  /** From now on what comes is redelivered, but what a turn that goes on awaits in memory. */
  takeOnlyAwaited(): void;
}

const RESULTS = 'results';
const STARTS = 'starts';
const PASSES = 'passes';
/** Of the time of `close()`, turns that go on get so much. */
const TURNS_SHARE = 2 / 3;
/** A NestJS app boots in less. */
const START_EXPECTED_WITHIN_MS = 10_000;
const SECOND_ENGINE =
  'SqsTransport.onResult: expected one engine at a time, got a second one. Close the transport before the next engine is made (in a test of a NestJS ' +
  'app: await app.close()), or make a transport for each engine.';
const FIFO_NOT_ATTACHED =
  'a FIFO results queue without attach(engine): a step with timeoutMs behind another step is shut out by its own run, and times out';
const NOT_STARTED =
  'steps are dispatched, but no result is received: with autoStart: false, call start() once the workflows are registered (NestJS: in the root ' +
  "module's onModuleInit)";

/**
 * One life of a transport, from its first use to `close()`:
 *
 *     waiting ──▶ receiving ──▶ closed
 *
 * It receives from `start()` on, or from one macrotask after its first consumer (`autoStart`). Closed, it begins
 * nothing; until the turns that go on are over, it still receives what they await in memory. A transport that is used
 * again has another session.
 */
export class Session {
  phase: 'waiting' | 'receiving' | 'closed' = 'waiting';
  /** The engine that this transport serves: dispatches are told to it, and results are given to it. */
  engine: UnattachedEngine | AttachedEngine;
  /** Steps that are served from this process, by name. */
  readonly steps = new Map<string, ServedStep>();
  readonly #options: SessionOptions;
  readonly #consumers = new Map<string, Consumer>();
  #results: ResultConsumer | undefined;
  #warnedOfFifo = false;
  #closing: Promise<void> | undefined;
  #startSoon: NodeJS.Immediate | undefined;
  #startExpected: NodeJS.Timeout | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.engine = new UnattachedEngine(options.holdMs);
  }

  /** @throws ConfigurationError where it is attached already. */
  attach(engine: AttachableEngine, { poll = false }: AttachOptions): void {
    if (this.#isAttached) throw new ConfigurationError('SqsTransport.attach: this transport is attached to an engine already');
    const attached = AttachedEngine.attach(engine, this.#options.logger);
    this.engine = attached;
    if (poll) this.#add(PASSES, attached.passes());
  }

  /**
   * Receives results for an engine. Until that is attached, its handler is all that is known of it.
   * @throws ConfigurationError for a second engine.
   */
  serve(receiver: ResultConsumer): void {
    if (this.#consumers.has(RESULTS)) throw new ConfigurationError(SECOND_ENGINE);
    if (!this.#isAttached) this.engine = UnattachedEngine.of(receiver.handler, this.#options.holdMs);
    this.#results = receiver;
    this.#add(RESULTS, receiver);
  }

  /** Receives starts for that engine. */
  serveStarts(receiver: Consumer): void {
    this.#add(STARTS, receiver);
  }

  /** Whether the engine's store answers. Never rejects. */
  async storeAnswers(): Promise<boolean> {
    return this.#results === undefined || this.engine.storeAnswers(this.#results);
  }

  /** Receives tasks of a queue, if it does not yet. */
  work(token: string, worker: () => Consumer): void {
    const name = `tasks of ${token}`;
    if (!this.#consumers.has(name)) this.#add(name, worker());
  }

  start(): void {
    if (this.phase !== 'waiting') return;
    this.phase = 'receiving';
    clearTimeout(this.#startExpected);
    for (const consumer of this.#consumers.values()) consumer.start();
  }

  /** Tells, once, of a results queue that needs an attached engine. */
  resultsQueueFound(queueUrl: string): void {
    if (this.#isAttached || this.#warnedOfFifo || !isFifoQueue(queueUrl)) return;
    this.#warnedOfFifo = true;
    this.#options.logger.warn(FIFO_NOT_ATTACHED, {});
  }

  /** Something is dispatched whose result is not received until `start()` is called. */
  expectStart(): void {
    const { autoStart, logger } = this.#options;
    if (autoStart || !this.#consumers.has(RESULTS)) return;
    this.#startExpected ??= setTimeout(() => logger.warn(NOT_STARTED, {}), START_EXPECTED_WITHIN_MS).unref();
  }

  /**
   * Ends the session, once.
   * @param sent resolves when nothing is left to send
   * @param onEnd called with whether everything came to its end in time
   */
  close(timeoutMs: number, sent: () => Promise<void>, onEnd: (inTime: boolean) => void): Promise<void> {
    this.#closing ??= this.#close(timeoutMs, sent).then(onEnd);
    return this.#closing;
  }

  async #close(timeoutMs: number, sent: () => Promise<void>): Promise<boolean> {
    const wasReceiving = this.phase === 'receiving';
    this.phase = 'closed';
    clearImmediate(this.#startSoon);
    clearTimeout(this.#startExpected);
    const consumers = [...this.#consumers.values()];
    const finish = async () => {
      const beginnersStopped = Promise.all([PASSES, STARTS].map((name) => this.#consumers.get(name)?.stop()));
      this.#results?.takeOnlyAwaited();
      // One that awaits a step in memory needs the step's result, and a worker of it.
      if (wasReceiving) await within(timeoutMs * TURNS_SHARE, this.engine.turnsOver());
      await Promise.all([beginnersStopped, stopped(consumers, this.engine, sent)]);
    };
    const inTime = await within(timeoutMs, finish());
    if (!inTime) for (const consumer of consumers) consumer.abandon();
    this.engine.detach();
    return inTime;
  }

  get #isAttached(): boolean {
    return this.engine instanceof AttachedEngine;
  }

  #add(name: string, consumer: Consumer): void {
    this.#consumers.set(name, consumer);
    if (this.phase === 'receiving') consumer.start();
    // One macrotask later: workflows are registered right after the engine is made, and must be before a result comes.
    else if (this.#options.autoStart) this.#startSoon ??= setImmediate(() => this.start());
  }
}

async function stopped(
  consumers: readonly Consumer[],
  engine: UnattachedEngine | AttachedEngine,
  sent: () => Promise<void>,
): Promise<void> {
  await Promise.all(consumers.map((consumer) => consumer.stop()));
  await Promise.all(consumers.map((consumer) => consumer.settled()));
  await engine.idle();
  await sent();
}
