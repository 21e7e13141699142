import { hash } from 'node:crypto';
import { ConfigurationError } from '../errors.ts';

/**
 * Names of queues. The one module that builds them: engine, worker, plugin and local runner all ask here.
 *
 * AWS allows `[A-Za-z0-9_-]`, 80 characters, `.fifo` included. A routing token is free text (`payments.charge-card`,
 * `charge@acme`), and it carries the tenant: two tokens must never share a queue.
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html
 */
export const MAX_QUEUE_NAME_LENGTH = 80;

export const DEFAULT_PREFIX = 'durable';

export interface QueueNameOptions {
  /** FIFO queues end in `.fifo`. @default false */
  readonly fifo?: boolean;
}

const LEGAL = /^[A-Za-z0-9_-]+$/;
const KINDS = ['-tasks', '-results', '-dead-letters', '-parked'] as const;
const FIFO_SUFFIX = '.fifo';
const FALLBACK = /-x[0-9a-f]{20}$/;
const FALLBACK_LENGTH = '-x'.length + 20;
/** `<prefix>-dead-letters-` with a fallback and `.fifo` behind it must leave room for a readable character. */
const MAX_PREFIX_LENGTH = MAX_QUEUE_NAME_LENGTH - '-dead-letters-'.length - FALLBACK_LENGTH - FIFO_SUFFIX.length - 1;

/**
 * `<prefix>-tasks-<encoded token>`: where the tasks of one step (and partition) go.
 * @throws ConfigurationError, like its siblings, for a prefix that AWS or another queue's name leaves no room for, and
 * an empty token.
 */
export function tasksQueueName(token: string, prefix: string = DEFAULT_PREFIX, options: QueueNameOptions = {}): string {
  return tokenQueueName('-tasks-', token, prefix, options);
}

/** `<prefix>-dead-letters-<encoded token>`: tasks that were received too often. */
export function deadLetterQueueName(token: string, prefix: string = DEFAULT_PREFIX, options: QueueNameOptions = {}): string {
  return tokenQueueName('-dead-letters-', token, prefix, options);
}

/** `<prefix>-parked-<encoded token>`: dead letters, kept for a human after the engine was told. */
export function parkedQueueName(token: string, prefix: string = DEFAULT_PREFIX, options: QueueNameOptions = {}): string {
  return tokenQueueName('-parked-', token, prefix, options);
}

/** `<prefix>-results`: where every worker answers. */
export function resultsQueueName(prefix: string = DEFAULT_PREFIX, options: QueueNameOptions = {}): string {
  return `${checkedPrefix(prefix)}-results${options.fifo ? FIFO_SUFFIX : ''}`;
}

/** `<prefix>-results-dead-letters`: results that the engine could not process. */
export function resultsDeadLetterQueueName(prefix: string = DEFAULT_PREFIX, options: QueueNameOptions = {}): string {
  return `${checkedPrefix(prefix)}-results-dead-letters${options.fifo ? FIFO_SUFFIX : ''}`;
}

/**
 * `<prefix>-start-run`: starts of runs, for the engine. Always a standard queue: one start does not wait for another.
 */
export function startRunQueueName(prefix: string = DEFAULT_PREFIX): string {
  return `${checkedPrefix(prefix)}-start-run`;
}

/** `<prefix>-start-run-dead-letters`: starts that the engine could not carry out. */
export function startRunDeadLetterQueueName(prefix: string = DEFAULT_PREFIX): string {
  return `${checkedPrefix(prefix)}-start-run-dead-letters`;
}

/**
 * `<prefix>-wake-ups`: delayed messages for an engine in a function. Always a standard queue: a FIFO queue delays no
 * single message.
 */
export function wakeUpsQueueName(prefix: string = DEFAULT_PREFIX): string {
  return `${checkedPrefix(prefix)}-wake-ups`;
}

/**
 * The prefix with a namespace folded in, as the other nestjs-durable transports do: `<prefix>-<namespace>`, and the
 * bare prefix for none or `default`.
 */
export function effectivePrefix(prefix: string = DEFAULT_PREFIX, namespace?: string): string {
  const bare = checkedPrefix(prefix);
  return namespace === undefined || namespace === '' || namespace === 'default' ? bare : checkedPrefix(`${bare}-${namespace}`);
}

/** The token that a tasks queue's name stands for, or undefined: a fallback name holds only a hash of its token. */
export function tokenOfTasksQueue(queueName: string, prefix: string = DEFAULT_PREFIX): string | undefined {
  const start = `${checkedPrefix(prefix)}-tasks-`;
  if (!queueName.startsWith(start)) return undefined;
  const fifo = queueName.endsWith(FIFO_SUFFIX);
  const encoded = queueName.slice(start.length, fifo ? -FIFO_SUFFIX.length : undefined);
  if (!LEGAL.test(encoded)) return undefined;
  const token = decodeToken(encoded);
  // Asked of the encoder itself: a name that it would not give (a fallback, one too long) stands for no token.
  return tasksQueueName(token, prefix, { fifo }) === queueName ? token : undefined;
}

function tokenQueueName(kind: string, token: string, prefix: string, { fifo = false }: QueueNameOptions): string {
  if (token === '') throw new ConfigurationError('expected a routing token, got an empty string');
  // Half a surrogate pair has no UTF-8 form: all of them would hash alike, and two tokens would share a queue.
  if (!token.isWellFormed()) throw new ConfigurationError('expected a routing token of well-formed Unicode, got half a surrogate pair');
  const start = `${checkedPrefix(prefix)}${kind}`;
  const end = fifo ? FIFO_SUFFIX : '';
  const room = MAX_QUEUE_NAME_LENGTH - start.length - end.length;
  const encoded = encodeToken(token);
  const readable = LEGAL.test(encoded) && decodeToken(encoded) === token && !FALLBACK.test(encoded) && encoded.length <= room;
  return `${start}${readable ? encoded : fallbackFor(token, encoded, room)}${end}`;
}

function encodeToken(token: string): string {
  return token.replaceAll('.', '--').replaceAll('@', '_at_');
}

function decodeToken(encoded: string): string {
  return encoded.replaceAll('--', '.').replaceAll('_at_', '@');
}

/** The readable beginning, for people; the hash of the whole token, for identity. */
function fallbackFor(token: string, encoded: string, room: number): string {
  const digest = hash('sha256', token).slice(0, 20);
  const readable = encoded.replace(/[^A-Za-z0-9_-]/g, '-').slice(0, room - FALLBACK_LENGTH);
  return `${readable}-x${digest}`;
}

function checkedPrefix(prefix: string): string {
  const problem = prefixProblem(prefix);
  if (problem !== undefined) throw new ConfigurationError(`expected prefix to be ${problem}, got "${prefix}"`);
  return prefix;
}

function prefixProblem(prefix: string): string | undefined {
  if (!LEGAL.test(prefix)) return 'one or more of A-Z a-z 0-9 _ - (that is all AWS allows in a queue name)';
  if (prefix.length > MAX_PREFIX_LENGTH)
    return `at most ${MAX_PREFIX_LENGTH} characters, so that queue names stay within ${MAX_QUEUE_NAME_LENGTH}`;
  // Otherwise the queues of one prefix could be those of another prefix and token.
  const kind = KINDS.find((part) => prefix.includes(part));
  return kind === undefined ? undefined : `free of "${kind}", which marks the kind of a queue`;
}
