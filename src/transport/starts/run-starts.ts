import type { StartRun } from '../../wire/start-run.ts';
import type { Session } from '../session.ts';
import type { TransportParts } from '../transport-parts.ts';
import type { StartHandler } from './message-starts.ts';
import { StartReceiver } from './start-receiver.ts';
import { StartSender } from './start-sender.ts';

/** Starts of runs by message, for one transport: it sends them, and receives them with the option `startRuns`. */
export class RunStarts {
  readonly #parts: TransportParts;
  readonly #sender: StartSender;

  constructor(parts: TransportParts) {
    this.#parts = parts;
    this.#sender = new StartSender({ ...parts, timeoutMs: parts.dispatchTimeoutMs });
  }

  /** Resolves once SQS has accepted the start. */
  send(start: StartRun): Promise<void> {
    return this.#sender.send(start);
  }

  /** Resolves when no start is being sent. */
  idle(): Promise<void> {
    return this.#sender.idle();
  }

  /** Has the engine of a session receive starts, where the option says so. */
  serve(handler: StartHandler, openSession: () => Session): void {
    const { queues, startRuns } = this.#parts;
    if (!startRuns) return;
    const session = openSession();
    const queueUrl = () => queues.startRunQueueUrl();
    session.serveStarts(new StartReceiver({ ...this.#parts, handler, queueUrl, storeAnswers: () => session.storeAnswers() }));
  }
}
