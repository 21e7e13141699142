import type { SqsCall } from './sqs-wire.ts';

/** What is done to one request. */
export type Fault =
  /** The connection is reset before the request reaches SQS. */
  | 'reset before'
  /** SQS has carried the request out; the connection is reset instead of the answer. */
  | 'reset after'
  /** SQS has carried the request out; the answer is kept back for `holdMs`, then the connection is reset. */
  | 'answer withheld'
  /** The request never reaches SQS and nothing comes back for `holdMs`. */
  | 'hang'
  | 'HTTP 500'
  | 'HTTP 503'
  | 'throttled'
  /** Some entries of a batch never reach SQS and come back as `Failed`. */
  | 'Failed[] entries'
  /** What is sent is sent twice. */
  | 'sent twice'
  /** A message is delivered that was delivered before. */
  | 'delivered twice'
  /** Messages come in another order, some of them in a later answer. */
  | 'reordered';

export interface PlannedFault {
  readonly fault: Fault;
  readonly holdMs: number;
}

const EVERYWHERE: readonly Fault[] = ['reset before', 'reset after', 'answer withheld', 'hang', 'HTTP 500', 'HTTP 503', 'throttled'];
const FAULTS_OF_SENDS: readonly Fault[] = [...EVERYWHERE, 'Failed[] entries', 'sent twice'];
const FAULTS_OF_BATCHES: readonly Fault[] = [...EVERYWHERE, 'Failed[] entries'];
const FAULTS_OF_RECEIVES: readonly Fault[] = [...EVERYWHERE, 'delivered twice', 'delivered twice', 'reordered', 'reordered'];
/** Every kind of fault. */
export const FAULTS: readonly Fault[] = [...new Set([...FAULTS_OF_SENDS, ...FAULTS_OF_RECEIVES])];
/** SQS promises these of FIFO queues: no second copy within five minutes, and order. */
const NEVER_ON_FIFO: ReadonlySet<Fault> = new Set(['delivered twice', 'reordered']);

/** One in this many sends and receives that are kept back is kept until the caller gives up by itself. */
const UNTIL_GIVEN_UP = 25;
const LONGER_THAN_ANY_CALLER_MS = 120_000;

/**
 * Draws what happens to a request; undefined: nothing. Always draws as often, so that a seed gives the same sequence.
 */
export function planFault(call: Pick<SqsCall, 'action' | 'queue'>, rate: number, random: () => number): PlannedFault | undefined {
  const [hit, which, hold, long] = [random(), random(), random(), random()];
  if (hit >= rate) return undefined;
  const possible = faultsOf(call.action).filter((fault) => !call.queue.endsWith('.fifo') || !NEVER_ON_FIFO.has(fault));
  const fault = possible[Math.floor(which * possible.length)] ?? 'reset before';
  // Not deletes: those of tasks are Lambda's own in production, and everything behind a delete that hangs would be
  // delivered again.
  const mayHangLong = !call.action.startsWith('Delete');
  return { fault, holdMs: mayHangLong && long * UNTIL_GIVEN_UP < 1 ? LONGER_THAN_ANY_CALLER_MS : 100 + hold * 1_400 };
}

function faultsOf(action: string): readonly Fault[] {
  if (action === 'ReceiveMessage') return FAULTS_OF_RECEIVES;
  if (action === 'SendMessageBatch') return FAULTS_OF_SENDS;
  if (action === 'SendMessage') return [...EVERYWHERE, 'sent twice'];
  return action.endsWith('Batch') ? FAULTS_OF_BATCHES : EVERYWHERE;
}
