import { ConfigurationError } from '../errors.ts';
import { DELETE_LINGER_MS } from '../sqs/in-flight-messages.ts';
import { systemTiming } from '../time.ts';
import { MappingLoop } from './mapping-loop.ts';
import { type EventSourceMappingOptions, type MappingSettings, mappingSettings } from './mapping-options.ts';
import { type SourceQueue, sdkSourceQueue } from './source-queue.ts';

/**
 * Invokes a handler with the messages of a queue, in this process, as Lambda's event source mapping does on AWS.
 *
 * It reads batches, runs up to `maximumConcurrency` invocations at once, deletes what the handler's answer does not report, and
 * leaves the rest to the queue's own visibility timeout and redrive policy. Lambda's slowing down after failed invocations and
 * its gradual growth of concurrency are not copied.
 */
export class LocalEventSourceMapping {
  readonly #settings: MappingSettings;
  readonly #queue: SourceQueue;
  readonly #loop: MappingLoop;
  #stopped: Promise<void> | undefined;

  /** @throws ConfigurationError */
  constructor(options: EventSourceMappingOptions) {
    this.#settings = mappingSettings(options);
    this.#queue = sdkSourceQueue(options.queueUrl, options);
    this.#loop = new MappingLoop(this.#settings, this.#queue, systemTiming, DELETE_LINGER_MS);
  }

  /**
   * Starts to read the queue; does nothing where it does so already or the mapping is not `enabled`. No failure ends it: a queue
   * that is missing is tried again until it is there.
   * @throws ConfigurationError after `stop()`
   */
  start(): void {
    if (this.#stopped !== undefined) throw new ConfigurationError('LocalEventSourceMapping: it was stopped; make a new one');
    if (this.#settings.enabled) this.#loop.start();
  }

  /**
   * Receives no more, and resolves when what was received has been invoked and its deletes are through. Nothing is lost. May take
   * a long poll, the function's timeout, and 30 s where SQS does not accept a delete.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#loop.stop().finally(() => this.#queue.destroy());
    return this.#stopped;
  }
}
