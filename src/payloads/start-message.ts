import { PayloadStoreError } from '../errors.ts';
import type { OutgoingMessage } from '../sqs/sqs-api.ts';
import { MAX_MESSAGE_BYTES, messageBytes } from '../wire/limits.ts';
import { encodeStartRun, type StartRun } from '../wire/start-run.ts';
import { storeLargeBody } from './message-body.ts';
import type { PayloadStore } from './payload-store.ts';

/** A start that names its run, so that it is one run however often it is sent and delivered. */
export interface NamedStart extends StartRun {
  runId: string;
}

/**
 * The message of a start: the start itself while it is small, else a pointer to its stored body.
 * @throws PayloadStoreError, `not_configured` where it is large and there is no store
 */
export async function startMessage(start: NamedStart, store: PayloadStore | undefined): Promise<OutgoingMessage> {
  const body = encodeStartRun(start);
  const bytes = messageBytes(body);
  if (store === undefined && bytes > MAX_MESSAGE_BYTES) {
    throw new PayloadStoreError(
      'not_configured',
      `start of run ${start.runId} ("${start.workflow}") is ${bytes} bytes, SQS accepts ${MAX_MESSAGE_BYTES}. Give the sender and the engine's ` +
        'transport a payloadStore, or pass a reference to the data instead of the data.',
    );
  }
  return storeLargeBody({ body }, { kind: 'start', runId: start.runId, stepId: start.workflow }, store);
}
