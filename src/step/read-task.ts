import { attempt } from '../attempt.ts';
import { InvalidMessageError, PayloadStoreError } from '../errors.ts';
import { storedBody } from '../payloads/message-body.ts';
import { subjectOfKey } from '../payloads/payload-key.ts';
import type { PayloadPointer, PayloadStore } from '../payloads/payload-store.ts';
import { decodePointer } from '../payloads/pointer.ts';
import type { TaskMessage } from './in-flight-task.ts';
import type { AnyResult, TaskFormat, TaskIds } from './task-format.ts';

/** What a message of a tasks queue holds. */
export type ReadTask<Task> =
  | { readonly kind: 'task'; readonly task: Task; readonly body: string }
  /** It has no marker attribute, and belongs to another consumer of the queue. */
  | { readonly kind: 'unmarked' }
  /** `problem` names field and kind, and holds no value. */
  | { readonly kind: 'malformed'; readonly problem: string }
  /** Its stored body will never be had. `ids` where the object's key tells them. */
  | { readonly kind: 'lost'; readonly error: PayloadStoreError; readonly ids: TaskIds | undefined }
  /** Its stored body cannot be had now. `ids` as above. */
  | { readonly kind: 'unavailable'; readonly error: unknown; readonly ids: TaskIds | undefined };

type TaskDecoder<Task> = Pick<TaskFormat<Task, AnyResult>, 'decode' | 'stored'>;

/**
 * Reads the task of a message, from the payload store where the message points there. Never throws or rejects.
 *
 * Gives it at once where the message itself holds it, as nearly all do: a promise for each would cost a record 4 %.
 */
export function readTask<Task>(
  { marked, body }: TaskMessage,
  decoder: TaskDecoder<Task>,
  store: PayloadStore | undefined,
): ReadTask<Task> | Promise<ReadTask<Task>> {
  if (!marked) return { kind: 'unmarked' };
  const sent = textOf(body);
  if (sent === undefined) return { kind: 'malformed', problem: 'it cannot be read' };
  const pointer = decodePointer(sent);
  return pointer === undefined ? decoded(sent, decoder) : readStored(pointer, decoder, store);
}

async function readStored<Task>(
  pointer: PayloadPointer,
  decoder: TaskDecoder<Task>,
  store: PayloadStore | undefined,
): Promise<ReadTask<Task>> {
  try {
    return decoded(await storedBody(pointer, store), decoder);
  } catch (error) {
    const subject = subjectOfKey(pointer.key);
    const ids = subject?.kind === decoder.stored.task ? subject : undefined;
    return error instanceof PayloadStoreError && !error.transient ? { kind: 'lost', error, ids } : { kind: 'unavailable', error, ids };
  }
}

function decoded<Task>(body: string, decoder: TaskDecoder<Task>): ReadTask<Task> {
  try {
    return { kind: 'task', task: decoder.decode(body), body };
  } catch (error) {
    return { kind: 'malformed', problem: error instanceof InvalidMessageError ? error.problem : 'it cannot be read' };
  }
}

/** A body-parsing middleware may have been here before us. */
function textOf(body: unknown): string | undefined {
  return typeof body === 'string' ? body : attempt(() => JSON.stringify(body));
}
