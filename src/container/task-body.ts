import { InvalidMessageError, PayloadStoreError } from '../errors.ts';
import { readBody } from '../payloads/message-body.ts';
import { subjectOfKey } from '../payloads/payload-key.ts';
import type { PayloadStore } from '../payloads/payload-store.ts';
import { decodePointer } from '../payloads/pointer.ts';
import { payloadFailure } from '../step/payload-failure.ts';
import { decodeRemoteTask, type RemoteTask } from '../wire/remote-task.ts';
import type { StepResult } from '../wire/step-result.ts';

/** What the body of a message on a tasks queue is. */
export type TaskBody =
  | { readonly kind: 'task'; readonly task: RemoteTask }
  /** Its stored body will not be had, and this is what the engine is to be told. */
  | { readonly kind: 'lost'; readonly result: StepResult; readonly error: PayloadStoreError }
  /** Its stored body cannot be had now, or nobody knows whose it is. */
  | { readonly kind: 'unread'; readonly error: unknown }
  | { readonly kind: 'malformed'; readonly problem: string };

/** Reads a task, from the payload store where the message points there. Rejects for no fault of the message or the store. */
export async function readTask(body: string, store: PayloadStore | undefined): Promise<TaskBody> {
  let whole: string;
  try {
    const read = readBody(body, store);
    whole = typeof read === 'string' ? read : await read;
  } catch (error) {
    if (!(error instanceof PayloadStoreError) || error.transient) return { kind: 'unread', error };
    const result = failureOf(body, error);
    return result === undefined ? { kind: 'unread', error } : { kind: 'lost', result, error };
  }
  try {
    return { kind: 'task', task: decodeRemoteTask(whole) };
  } catch (error) {
    return { kind: 'malformed', problem: error instanceof InvalidMessageError ? error.problem : 'it cannot be read' };
  }
}

/** The key of the object tells whose it is. */
function failureOf(body: string, error: PayloadStoreError): StepResult | undefined {
  const pointer = decodePointer(body);
  const subject = pointer === undefined ? undefined : subjectOfKey(pointer.key);
  return subject?.kind === 'task' ? payloadFailure(subject, 'the task could not be read', error) : undefined;
}
