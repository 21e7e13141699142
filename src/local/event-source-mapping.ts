import { ConfigurationError } from '../errors.ts';
import { DELETE_LINGER_MS } from '../sqs/in-flight-messages.ts';
import type { ClientOptions } from '../sqs/open-sqs.ts';
import { systemTiming } from '../time.ts';
import { MappingLoop } from './mapping-loop.ts';
import { type EventSourceMappingOptions, type MappingSettings, mappingSettings } from './mapping-options.ts';
import { openSourceQueue } from './source-queue.ts';

/** The loop of one mapping, on connections of its own. */
export type QueueMapping = Pick<MappingLoop, 'start' | 'stop'>;

/** A mapping of a queue on SQS, whatever runs its invocations. */
export function queueMapping(settings: MappingSettings, client: ClientOptions): QueueMapping {
  const queue = openSourceQueue(settings.queueUrl, client);
  const loop = new MappingLoop(settings, queue, systemTiming, DELETE_LINGER_MS);
  return { start: () => loop.start(), stop: () => loop.stop().finally(() => queue.destroy()) };
}

/**
 * Invokes a handler with the messages of a queue, in this process, as Lambda's event source mapping does on AWS.
 *
 * It receives batches, runs up to `maximumConcurrency` invocations at once, and deletes the messages that the handler's
 * answer does not report; the others become visible again after the queue's visibility timeout. Unlike Lambda it does
 * not slow down after failed invocations, and does not grow its concurrency gradually.
 */
export class LocalEventSourceMapping {
  readonly #enabled: boolean;
  readonly #mapping: QueueMapping;
  #stopped: Promise<void> | undefined;

  /** @throws ConfigurationError */
  constructor(options: EventSourceMappingOptions) {
    const settings = mappingSettings(options);
    this.#enabled = settings.enabled;
    this.#mapping = queueMapping(settings, options);
  }

  /**
   * Starts to receive; does nothing where it was started, or is not `enabled`. No failure ends it: a queue that is
   * missing is tried until it exists.
   * @throws ConfigurationError after `stop()`
   */
  start(): void {
    if (this.#stopped !== undefined) throw new ConfigurationError('LocalEventSourceMapping: it was stopped; make a new one');
    if (this.#enabled) this.#mapping.start();
  }

  /**
   * Receives no more, and resolves when all received messages have been invoked and their deletes are done. Nothing is
   * lost. Takes at most a long poll, the function's timeout, and 30 s where SQS does not accept a delete.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#mapping.stop();
    return this.#stopped;
  }
}
