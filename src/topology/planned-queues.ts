import {
  type QueueFigures,
  type QueueKind,
  READ_BY_NO_FUNCTION_SECONDS,
  SERVICE_QUEUES,
  type ServiceQueueFigures,
  type ServiceQueueKind,
  STEP_QUEUES,
  type StepQueueFigures,
  type StepQueueKind,
} from './queue-kinds.ts';
import { advisedVisibilitySeconds } from './visibility.ts';

/** A queue as it must be, whether the engine, CloudFormation or a local run creates it. */
export interface PlannedQueue {
  readonly kind: QueueKind;
  readonly name: string;
  /** Routing token of its step; undefined for a queue of the whole service. */
  readonly token: string | undefined;
  readonly fifo: boolean;
  readonly retentionSeconds: number;
  readonly visibilityTimeoutSeconds: number;
  /** The queue, by name, to which SQS moves a message after this many receives. */
  readonly redrive: { readonly to: string; readonly maxReceiveCount: number } | undefined;
}

/**
 * A queue and the queues behind it: a message that is received too often moves to the last target, and from there to
 * the one before.
 */
export interface QueueChain {
  readonly queue: PlannedQueue;
  /** In the order in which they must be created: each after the one it redrives to. */
  readonly targets: readonly PlannedQueue[];
}

export interface QueueOptions {
  /** With the namespace folded in. */
  readonly prefix: string;
  /**
   * A queue and all that it redrives to are FIFO or standard together: SQS moves no message from the one to the other.
   */
  readonly fifo: boolean;
}

export interface StepQueueOptions extends QueueOptions {
  /** Visibility timeout of the tasks queue. */
  readonly visibilityTimeoutSeconds: number;
  /**
   * Timeout of the function that reads dead letters.
   * @default unknown: dead letters stay hidden for as long as tasks
   */
  readonly deadLetterTimeoutSeconds?: number | undefined;
  /** Receives before a task becomes a dead letter. @default the table's */
  readonly maxReceiveCount?: number | undefined;
}

export interface ServiceQueueOptions extends QueueOptions {
  /**
   * Timeout of the function that is the engine.
   * @default none: the engine is a process, and says itself for how long it hides what it receives
   */
  readonly engineTimeoutSeconds?: number | undefined;
}

/** The tasks queue of one step, and the dead-letter and parked queue behind it. */
export function stepQueues(token: string, options: StepQueueOptions): QueueChain {
  const { prefix, fifo, visibilityTimeoutSeconds: step, deadLetterTimeoutSeconds } = options;
  const { tasks } = STEP_QUEUES;
  const redrive = { ...tasks.redrive, maxReceiveCount: options.maxReceiveCount ?? tasks.redrive.maxReceiveCount };
  const figures: Readonly<Record<StepQueueKind, StepQueueFigures>> = { ...STEP_QUEUES, tasks: { ...tasks, redrive } };
  const deadLetters = deadLetterTimeoutSeconds === undefined ? step : advisedVisibilitySeconds(deadLetterTimeoutSeconds);
  const decided = { step, 'dead-letter function': deadLetters };
  return chain('tasks', figures, (kind) => {
    const { name, visibility } = figures[kind];
    const visibilityTimeoutSeconds = typeof visibility === 'number' ? visibility : decided[visibility];
    return { name: name(token, prefix, { fifo }), token, fifo, visibilityTimeoutSeconds };
  });
}

/** A queue that a service has once, and the queues behind it. */
export function serviceQueues(kind: ServiceQueueKind, { prefix, fifo, engineTimeoutSeconds }: ServiceQueueOptions): QueueChain {
  const figures: Readonly<Record<ServiceQueueKind, ServiceQueueFigures>> = SERVICE_QUEUES;
  const engine = engineTimeoutSeconds === undefined ? READ_BY_NO_FUNCTION_SECONDS : advisedVisibilitySeconds(engineTimeoutSeconds);
  return chain(kind, figures, (of) => {
    const { name, visibility } = figures[of];
    const visibilityTimeoutSeconds = visibility === 'engine' ? engine : visibility;
    return { name: name(prefix, { fifo }), token: undefined, fifo, visibilityTimeoutSeconds };
  });
}

/** What a queue has of its own, beside the figures of its kind. */
type Own = Pick<PlannedQueue, 'name' | 'token' | 'fifo' | 'visibilityTimeoutSeconds'>;

function chain<Kind extends QueueKind>(
  kind: Kind,
  figures: Readonly<Record<Kind, QueueFigures<Kind>>>,
  ownOf: (kind: Kind) => Own,
): QueueChain {
  const { retentionSeconds, redrive } = figures[kind];
  const queue = { kind, ...ownOf(kind), retentionSeconds };
  if (redrive === undefined) return { queue: { ...queue, redrive: undefined }, targets: [] };
  const next = chain(redrive.to, figures, ownOf);
  const { maxReceiveCount } = redrive;
  return { queue: { ...queue, redrive: { to: next.queue.name, maxReceiveCount } }, targets: [...next.targets, next.queue] };
}
