import type { Logger } from '../logger.ts';
import type { ServedStep } from '../step/step-tasks.ts';
import { within } from '../time.ts';
import type { AttachableEngine } from './engine/attachable-engine.ts';
import { AttachedEngine } from './engine/attached-engine.ts';
import { UnattachedEngine } from './engine/unattached-engine.ts';

/** Long-polls a queue: for results, or for the tasks of a step. */
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
  /** Called when receiving starts. */
  readonly onStart: () => void;
  readonly logger: Logger;
}

/**
 * One life of a transport, from its first use to `close()`:
 *
 *     waiting ──▶ receiving ──▶ closed
 *
 * It receives from `start()` on, or from one macrotask after its first consumer (`autoStart`). A transport that is used again after it was
 * closed has another session.
 */
export class Session {
  /** The engine that this transport serves: dispatches are told to it, and results are given to it. */
  engine: UnattachedEngine | AttachedEngine;
  /** Steps that are served from this process, by name. */
  readonly steps = new Map<string, ServedStep>();
  readonly #options: SessionOptions;
  readonly #consumers = new Map<string, Consumer>();
  #phase: 'waiting' | 'receiving' | 'closed' = 'waiting';
  #closing: Promise<void> | undefined;
  #startSoon: NodeJS.Immediate | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.engine = new UnattachedEngine(options.holdMs);
  }

  get isAttached(): boolean {
    return this.engine instanceof AttachedEngine;
  }

  get isClosed(): boolean {
    return this.#phase === 'closed';
  }

  attach(engine: AttachableEngine): void {
    this.engine = AttachedEngine.attach(engine, this.#options.logger);
  }

  /** The engine has given its handler. Until it is attached, that is all that is known of it. */
  serve(handler: Parameters<typeof UnattachedEngine.of>[0]): void {
    if (!this.isAttached) this.engine = UnattachedEngine.of(handler, this.#options.holdMs);
  }

  has(name: string): boolean {
    return this.#consumers.has(name);
  }

  add(name: string, consumer: Consumer): void {
    this.#consumers.set(name, consumer);
    if (this.#phase === 'receiving') consumer.start();
    // One macrotask later: workflows are registered right after the engine is made, and must be before a result comes.
    else if (this.#options.autoStart) this.#startSoon ??= setImmediate(() => this.start());
  }

  start(): void {
    if (this.#phase !== 'waiting') return;
    this.#phase = 'receiving';
    this.#options.onStart();
    for (const consumer of this.#consumers.values()) consumer.start();
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
    this.#phase = 'closed';
    clearImmediate(this.#startSoon);
    const consumers = [...this.#consumers.values()];
    const inTime = await within(timeoutMs, finish(consumers, sent));
    if (!inTime) for (const consumer of consumers) consumer.abandon();
    this.engine.detach();
    return inTime;
  }
}

async function finish(consumers: readonly Consumer[], sent: () => Promise<void>): Promise<void> {
  await Promise.all(consumers.map((consumer) => consumer.stop()));
  await Promise.all(consumers.map((consumer) => consumer.settled()));
  await sent();
}
