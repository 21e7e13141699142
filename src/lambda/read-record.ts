import type { SQSRecord } from 'aws-lambda';
import { InvalidMessageError, PayloadStoreError } from '../errors.ts';
import { readBody } from '../payloads/message-body.ts';
import { subjectOfKey } from '../payloads/payload-key.ts';
import type { PayloadStore } from '../payloads/payload-store.ts';
import { decodePointer } from '../payloads/pointer.ts';
import { decodeRemoteTask, type RemoteTask } from '../wire/remote-task.ts';

/** Whose task a record is, and no more: where its body is out of reach. */
export type TaskIds = Pick<RemoteTask, 'runId' | 'seq' | 'stepId'>;

/** What a record holds. */
export type ReadRecord =
  | { readonly kind: 'task'; readonly task: RemoteTask; readonly body: string }
  /** The body is stored and never to be had. `ids` where the object's key tells them. */
  | { readonly kind: 'unreadable'; readonly error: PayloadStoreError; readonly ids: TaskIds | undefined }
  /** `problem` by field and kind, holding no value. */
  | { readonly kind: 'malformed'; readonly problem: string }
  /** The store does not answer now. `ids` as above. */
  | { readonly kind: 'unavailable'; readonly error: unknown; readonly ids: TaskIds | undefined };

/** Reads the task of a record; gives it at once where the record itself holds it. Never throws or rejects. */
export function readRecord({ body: given }: SQSRecord, store: PayloadStore | undefined): ReadRecord | Promise<ReadRecord> {
  const body = textOf(given);
  if (body === undefined) return { kind: 'malformed', problem: 'it cannot be read' };
  try {
    const read = readBody(body, store);
    return typeof read === 'string' ? decoded(read) : read.then(decoded, (error: unknown) => unreadable(error, body));
  } catch (error) {
    return unreadable(error, body);
  }
}

/** A body-parsing middleware may have been here before us. */
function textOf(body: unknown): string | undefined {
  if (typeof body === 'string') return body;
  try {
    return JSON.stringify(body);
  } catch {
    return undefined;
  }
}

function decoded(body: string): ReadRecord {
  try {
    return { kind: 'task', task: decodeRemoteTask(body), body };
  } catch (error) {
    return { kind: 'malformed', problem: error instanceof InvalidMessageError ? error.problem : 'it cannot be read' };
  }
}

function unreadable(error: unknown, body: string): ReadRecord {
  const about = subjectOfKey(decodePointer(body)?.key ?? '');
  const ids = about?.kind === 'task' ? about : undefined;
  return !(error instanceof PayloadStoreError) || error.transient
    ? { kind: 'unavailable', error, ids }
    : { kind: 'unreadable', error, ids };
}
