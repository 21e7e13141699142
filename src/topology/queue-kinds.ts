import {
  deadLetterQueueName,
  parkedQueueName,
  type QueueNameOptions,
  resultsDeadLetterQueueName,
  resultsQueueName,
  startRunDeadLetterQueueName,
  startRunQueueName,
  tasksQueueName,
  wakeUpsQueueName,
} from './queue-names.ts';

/**
 * Kinds of which each routing token (a step and its partition) has a queue of its own, named `<prefix>-<kind>-<token>`.
 */
export type StepQueueKind = 'tasks' | 'dead-letters' | 'parked';

/** Kinds of which a service has one queue, named `<prefix>-<kind>`. */
export type ServiceQueueKind = 'results' | 'results-dead-letters' | 'start-run' | 'start-run-dead-letters' | 'wake-ups';

export type QueueKind = StepQueueKind | ServiceQueueKind;

/** What the queues of one kind have in common. */
export interface QueueFigures<Kind extends QueueKind = QueueKind> {
  readonly retentionSeconds: number;
  /** Where SQS moves a message that was received too often. */
  readonly redrive?: RedriveFigures<Kind>;
  /** Whether the queue outlives its stack, since it may hold the only copy of a message. */
  readonly outlivesStack: boolean;
}

export interface RedriveFigures<Kind extends QueueKind = QueueKind> {
  readonly to: Kind;
  readonly maxReceiveCount: number;
  /** Doctor warns below this: healthy messages would become dead letters. */
  readonly leastReceiveCount: number;
}

export interface StepQueueFigures extends QueueFigures<StepQueueKind> {
  readonly name: (token: string, prefix: string, options: QueueNameOptions) => string;
  /**
   * Visibility timeout in seconds, or what decides it: the step's own timeout, or that of the function that reads dead
   * letters.
   */
  readonly visibility: number | 'step' | 'dead-letter function';
}

export interface ServiceQueueFigures extends QueueFigures<ServiceQueueKind> {
  readonly name: (prefix: string, options: QueueNameOptions) => string;
  /** Visibility timeout in seconds, or what decides it: whether the engine is a function, and its timeout. */
  readonly visibility: number | 'engine';
}

const DAY_SECONDS = 24 * 60 * 60;
/**
 * The longest that SQS allows. A dead letter keeps its first enqueue time, so its retention must exceed that of its
 * source queue.
 */
export const MAX_RETENTION_SECONDS = 14 * DAY_SECONDS;
/**
 * AWS's advice for a queue that Lambda reads: throttled invocations and neighbours of a poison message use up receives
 * too.
 */
const LEAST_RECEIVES_BY_LAMBDA = 5;
/**
 * For queues that no function reads. An engine in a process receives with the same 30 s, and extends them while it
 * processes a message: what the queue itself says is then of no account.
 */
export const READ_BY_NO_FUNCTION_SECONDS = 30;

/**
 * The queues of a step; those of a service follow below. `autoCreate`, CloudFormation, `sls durable local` and doctor
 * all render these two tables. Every number stands here with its reason, and nowhere else.
 */
export const STEP_QUEUES = {
  tasks: {
    name: tasksQueueName,
    retentionSeconds: 4 * DAY_SECONDS,
    visibility: 'step',
    redrive: { to: 'dead-letters', maxReceiveCount: 10, leastReceiveCount: LEAST_RECEIVES_BY_LAMBDA },
    // The engine's store knows every task that waits here.
    outlivesStack: false,
  },
  'dead-letters': {
    name: deadLetterQueueName,
    retentionSeconds: MAX_RETENTION_SECONDS,
    visibility: 'dead-letter function',
    // After this many failures of the dead-letter function, the message is left for a human.
    redrive: { to: 'parked', maxReceiveCount: 10, leastReceiveCount: LEAST_RECEIVES_BY_LAMBDA },
    outlivesStack: true,
  },
  parked: {
    name: parkedQueueName,
    retentionSeconds: MAX_RETENTION_SECONDS,
    visibility: READ_BY_NO_FUNCTION_SECONDS,
    outlivesStack: true,
  },
} as const satisfies Readonly<Record<StepQueueKind, StepQueueFigures>>;

export const SERVICE_QUEUES = {
  results: {
    name: resultsQueueName,
    retentionSeconds: 10 * DAY_SECONDS,
    visibility: 'engine',
    // The engine gives results back while its store is down, and an outage must not turn them into dead letters: a lone
    // result is received 50 times in two hours. An engine in a function gives them back at the same pace. What its
    // pollers use up beside that, while it is throttled, takes a visibility timeout each: all 100 of them an hour at a
    // timeout of 6 s, and six days at one of 15 minutes, which is less than the retention.
    redrive: { to: 'results-dead-letters', maxReceiveCount: 100, leastReceiveCount: 50 },
    outlivesStack: true,
  },
  'results-dead-letters': {
    name: resultsDeadLetterQueueName,
    retentionSeconds: MAX_RETENTION_SECONDS,
    visibility: READ_BY_NO_FUNCTION_SECONDS,
    outlivesStack: true,
  },
  'start-run': {
    name: startRunQueueName,
    retentionSeconds: 10 * DAY_SECONDS,
    visibility: 'engine',
    // An engine that refuses a start (its workflow is not registered, its input does not fit) gives it back later each
    // time, for an hour in all: a deployment of all engines takes less. While the store is down, no start is received.
    redrive: { to: 'start-run-dead-letters', maxReceiveCount: 20, leastReceiveCount: LEAST_RECEIVES_BY_LAMBDA },
    outlivesStack: true,
  },
  'start-run-dead-letters': {
    name: startRunDeadLetterQueueName,
    retentionSeconds: MAX_RETENTION_SECONDS,
    visibility: READ_BY_NO_FUNCTION_SECONDS,
    outlivesStack: true,
  },
  'wake-ups': {
    name: wakeUpsQueueName,
    // Long past its time, a wake-up is of no use: the tick has woken the run. So there is no dead-letter queue behind
    // it either: what would lie there asks nothing of anybody, and an outage of the store would fill it.
    retentionSeconds: 60 * 60,
    visibility: 'engine',
    outlivesStack: false,
  },
} as const satisfies Readonly<Record<ServiceQueueKind, ServiceQueueFigures>>;

/**
 * Days that a task can stay in the queues of its step, and its stored body must exist. Parking makes a new message,
 * which is kept anew; on FIFO queues the move to the dead-letter queue has the same effect.
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/setting-up-dead-letter-queue-retention.html
 */
export function longestLifeDays({ fifo }: { readonly fifo: boolean }): number {
  const { tasks, 'dead-letters': deadLetters, parked } = STEP_QUEUES;
  const seconds = deadLetters.retentionSeconds + parked.retentionSeconds + (fifo ? tasks.retentionSeconds : 0);
  return seconds / DAY_SECONDS;
}

/** Both tables as one, where any kind will do. */
export const QUEUES: Readonly<Record<QueueKind, QueueFigures>> = { ...STEP_QUEUES, ...SERVICE_QUEUES };

const KIND_IN_NAME = new RegExp(`-(${Object.keys(STEP_QUEUES).join('|')})-|-(${Object.keys(SERVICE_QUEUES).join('|')})(?:\\.fifo)?$`);

/**
 * Kind of a queue by its name. A prefix never contains the word of a kind, so the first match is right.
 * @param prefix names under another prefix have no kind. @default any prefix
 */
export function kindOfQueueName(name: string, prefix?: string): QueueKind | undefined {
  if (prefix !== undefined && !name.startsWith(`${prefix}-`)) return undefined;
  const [, ofStep, ofService] = KIND_IN_NAME.exec(name) ?? [];
  const kind = ofStep ?? ofService;
  return kind !== undefined && isQueueKind(kind) ? kind : undefined;
}

function isQueueKind(text: string): text is QueueKind {
  return Object.hasOwn(QUEUES, text);
}
