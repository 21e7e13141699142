import type { Logger } from '../logger.ts';
import type { QueueDirectory } from '../sqs/queue-directory.ts';
import type { Sender } from '../sqs/sender.ts';
import type { SqsApi } from '../sqs/sqs-api.ts';
import type { Timing } from '../time.ts';
import type { readTransportOptions } from './transport-options.ts';

/** What the parts of a transport share: its options, and what is made of them once. */
export interface TransportParts extends Omit<ReturnType<typeof readTransportOptions>, 'onError'> {
  readonly api: SqsApi;
  readonly sender: Sender;
  readonly queues: QueueDirectory;
  /** Told of a failure that is survived. Never throws. `queueUrl`: the queue that it was about, where one was found. */
  readonly onError: (error: unknown, queueUrl: string | undefined) => void;
  readonly logger: Logger;
  readonly timing: Timing;
}
