import { attempt } from '../attempt.ts';
import type { PayloadKind, PayloadSubject } from './payload-store.ts';

/** What the keys of stored bodies begin with, unless a service says otherwise. */
export const DEFAULT_KEY_PREFIX = 'durable/';

/** Characters that need no care anywhere; no segment of dots alone, which HTTP clients of other languages resolve. */
export const KEY_PREFIX = /^(?!.*(^|\/)\.{1,2}(\/|$))(?!\/)[A-Za-z0-9!_.*'()/-]{0,256}$/;

/** Bytes of an S3 key. @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html */
const MAX_KEY_BYTES = 1_024;
/** Kind, seq, UUID and slashes: all of a key but the prefix and the two ids. */
const FIXED_BYTES = 'decision/'.length + '/'.length + '/'.length + '-9007199254740991/'.length + 36;
/** Ends an id that is not whole: it stands nowhere else, since ids have theirs escaped. */
const CUT = '~';
const NO_SEQ = '-';

const KINDS: readonly PayloadKind[] = ['task', 'result', 'turn', 'decision'];
const LAYOUT = /(task|result|turn|decision)\/([^/]+)\/([^/]+)\/(-?\d{1,16})\/[^/]+$/;

/** A {@link PayloadSubject} that a key was found to tell, all of it. */
export type KnownSubject = Required<PayloadSubject>;

/**
 * Key of a stored body: `<keyPrefix><kind>/<run id>/<step id>/<seq>/<uuid>`, ids percent-encoded.
 *
 * It carries the ids so that a worker which cannot read the object can still tell the engine whose it was. Ids that do
 * not fit, or have no UTF-8 form, are cut: such a key is a good key that tells nothing.
 * @param keyPrefix as it is, slash included; what a lifecycle rule goes by
 */
export function payloadKey({ kind, runId, stepId, seq }: PayloadSubject, uuid: string, keyPrefix = ''): string {
  const room = Math.max(2, MAX_KEY_BYTES - FIXED_BYTES - Buffer.byteLength(keyPrefix));
  const ids = [encodedId(runId), encodedId(stepId)];
  const [run, step] = ids.join('').length <= room ? ids : ids.map((id) => cutId(id, Math.floor(room / 2)));
  return `${keyPrefix}${kind}/${run}/${step}/${seq ?? NO_SEQ}/${uuid}`;
}

/**
 * What a key says of its object, or undefined where it does not say all: a key of another program, or one whose ids
 * were cut.
 */
export function subjectOfKey(key: string): KnownSubject | undefined {
  const [, found, run, step, digits] = LAYOUT.exec(key) ?? [];
  const kind = KINDS.find((known) => known === found);
  const runId = decodedId(run);
  const stepId = decodedId(step);
  const seq = Number(digits);
  if (kind === undefined || runId === undefined || stepId === undefined || !Number.isSafeInteger(seq)) return undefined;
  return { kind, runId, stepId, seq };
}

function encodedId(id: string): string {
  const encoded = encodeURIComponent(id.toWellFormed()).replaceAll(CUT, '%7E');
  // A segment of periods means something else to whoever reads keys as paths.
  const segment = /^\.+$/.test(encoded) ? encoded.replaceAll('.', '%2E') : encoded;
  return id.isWellFormed() ? segment : `${segment}${CUT}`;
}

function cutId(encoded: string, length: number): string {
  if (encoded.length <= length) return encoded;
  // Not in the middle of an escape.
  return `${encoded.slice(0, length - CUT.length).replace(/%[0-9A-F]?$/, '')}${CUT}`;
}

function decodedId(segment: string | undefined): string | undefined {
  return segment === undefined || segment.endsWith(CUT) ? undefined : attempt(() => decodeURIComponent(segment));
}
