import { createHash } from 'node:crypto';
import type { PlannedQueue } from '../../topology/planned-queues.ts';
import type { QueueKind, StepQueueKind } from '../../topology/queue-kinds.ts';

/** What a queue of each kind is called in logical ids. */
const QUEUES = {
  tasks: 'TasksQueue',
  'dead-letters': 'DeadLetterQueue',
  parked: 'ParkedQueue',
  results: 'ResultsQueue',
  'results-dead-letters': 'ResultsDeadLetterQueue',
  'start-run': 'StartRunQueue',
  'start-run-dead-letters': 'StartRunDeadLetterQueue',
  'wake-ups': 'WakeUpsQueue',
} as const satisfies Readonly<Record<QueueKind, string>>;

type QueueResource<Kind extends QueueKind> = (typeof QUEUES)[Kind] | `${(typeof QUEUES)[Kind]}Policy`;

/**
 * Logical ids. A step's token is free text and a logical id is `[A-Za-z0-9]`, so a step's ids end in a hash of its
 * token: two steps never share one, and an id never changes while its step lives.
 */
export type StepResource = QueueResource<StepQueueKind> | 'TasksAgeAlarm' | 'DeadLettersAlarm' | 'ParkedAlarm' | 'TasksQueueUrl';

export type FunctionResource = 'Role' | 'Policy' | 'ErrorsAlarm' | 'ThrottlesAlarm';

export const RESULTS_QUEUE = 'DurableResultsQueue';
export const RESULTS_DEAD_LETTER_QUEUE = 'DurableResultsDeadLetterQueue';
export const RESULTS_AGE_ALARM = 'DurableResultsAgeAlarm';
export const RESULTS_DEAD_LETTERS_ALARM = 'DurableResultsDeadLettersAlarm';
export const START_RUN_QUEUE = 'DurableStartRunQueue';
export const START_RUN_DEAD_LETTER_QUEUE = 'DurableStartRunDeadLetterQueue';
export const START_RUN_AGE_ALARM = 'DurableStartRunAgeAlarm';
export const START_RUN_DEAD_LETTERS_ALARM = 'DurableStartRunDeadLettersAlarm';
export const WAKE_UPS_QUEUE = 'DurableWakeUpsQueue';
export const WAKE_UPS_AGE_ALARM = 'DurableWakeUpsAgeAlarm';
export const TICK_MISSING_ALARM = 'DurableTickMissingAlarm';
export const TICK_FAILING_ALARM = 'DurableTickFailingAlarm';
export const KMS_KEY = 'DurableKey';
export const PAYLOAD_BUCKET = 'DurablePayloadBucket';
export const PAYLOAD_BUCKET_POLICY = 'DurablePayloadBucketPolicy';
export const DASHBOARD = 'DurableDashboard';
export const ENGINE_POLICY = 'DurableEnginePolicy';
export const WORKER_POLICY = 'DurableWorkerPolicy';

/** CloudFormation allows 255 characters; long names are cut, the hash tells them apart. */
const READABLE_LENGTH = 80;

/** Logical id of a queue, or of its policy. */
export function queueLogicalId({ kind, token }: Pick<PlannedQueue, 'kind' | 'token'>, resource: '' | 'Policy' = ''): string {
  const name = `${QUEUES[kind]}${resource}`;
  return token === undefined ? `Durable${name}` : tokenLogicalId(token, name);
}

export function stepLogicalId(token: string, resource: StepResource): string {
  return tokenLogicalId(token, resource);
}

function tokenLogicalId(token: string, resource: string): string {
  const words = token.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  const readable = words.map(upperFirst).join('').slice(0, READABLE_LENGTH);
  const hash = createHash('sha256').update(token).digest('hex').slice(0, 16).toUpperCase();
  return `DurableStep${resource}${readable}${hash}`;
}

export function functionLogicalId(functionKey: string, resource: FunctionResource): string {
  return `DurableFunction${resource}${normalized(functionKey)}`;
}

/** The function itself, as serverless calls it. */
export function lambdaLogicalId(functionKey: string): string {
  return `${normalized(functionKey)}LambdaFunction`;
}

/** As serverless makes logical ids of function keys. */
function normalized(functionKey: string): string {
  return upperFirst(functionKey.replaceAll('-', 'Dash').replaceAll('_', 'Underscore'));
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
