import {
  DEAD_LETTERS_MAX_RECEIVE_COUNT,
  DEAD_LETTERS_RETENTION_SECONDS,
  RESULTS_MAX_RECEIVE_COUNT,
  RESULTS_RETENTION_SECONDS,
  TASKS_RETENTION_SECONDS,
  VISIBILITY_PER_FUNCTION_TIMEOUT,
} from '../../topology/queue-attributes.ts';
import { resultsDeadLetterQueueName } from '../../topology/queue-names.ts';
import type { DurableDeployment } from '../deployment.ts';
import type { DurableStep } from '../durable-service.ts';
import { arnOf, policyDocument, RETAINED, type Resource, type Resources, ref, type Value } from './cloudformation.ts';
import { queueEncryption } from './encryption.ts';
import {
  RESULTS_DEAD_LETTER_QUEUE,
  RESULTS_DEAD_LETTER_QUEUE_POLICY,
  RESULTS_QUEUE,
  RESULTS_QUEUE_POLICY,
  stepLogicalId,
} from './logical-ids.ts';

/** Where nobody polls with a Lambda function: as `autoCreate` has it. */
const VISIBILITY_SECONDS = 60;

interface Queue {
  readonly name: string;
  readonly fifo: boolean;
  readonly retentionSeconds: number;
  readonly visibilitySeconds: number;
  readonly redrive?: { readonly to: string; readonly maxReceiveCount: number };
}

/** The tasks, dead-letter and parked queue of every step. */
export function stepQueues(deployment: DurableDeployment): Resources {
  const all = deployment.steps.map((step) => queuesOfStep(step, deployment));
  return Object.assign({}, ...all);
}

/** The results queue and its dead-letter queue, where this service owns them. */
export function resultsQueues(deployment: DurableDeployment): Resources {
  const { resultsQueue, prefix } = deployment;
  if (!resultsQueue.owned) return {};
  const { fifo } = resultsQueue;
  const results: Queue = {
    name: resultsQueue.name,
    fifo,
    retentionSeconds: RESULTS_RETENTION_SECONDS,
    visibilitySeconds: VISIBILITY_SECONDS,
    redrive: { to: RESULTS_DEAD_LETTER_QUEUE, maxReceiveCount: RESULTS_MAX_RECEIVE_COUNT },
  };
  const deadLetters: Queue = {
    name: resultsDeadLetterQueueName(prefix, { fifo }),
    fifo,
    retentionSeconds: DEAD_LETTERS_RETENTION_SECONDS,
    visibilitySeconds: VISIBILITY_SECONDS,
  };
  return {
    [RESULTS_QUEUE]: { ...queue(results, deployment), ...RETAINED },
    [RESULTS_QUEUE_POLICY]: tlsOnly(RESULTS_QUEUE),
    [RESULTS_DEAD_LETTER_QUEUE]: { ...queue(deadLetters, deployment), ...RETAINED },
    [RESULTS_DEAD_LETTER_QUEUE_POLICY]: tlsOnly(RESULTS_DEAD_LETTER_QUEUE),
  };
}

/** Name of the results queue, whoever owns it. */
export function resultsQueueNameOf({ resultsQueue }: Pick<DurableDeployment, 'resultsQueue'>): string {
  return resultsQueue.owned ? resultsQueue.name : resultsQueue.arn.slice(resultsQueue.arn.lastIndexOf(':') + 1);
}

function queuesOfStep(step: DurableStep, deployment: DurableDeployment): Resources {
  const { token, fifo, queues } = step;
  const tasks = stepLogicalId(token, 'TasksQueue');
  const deadLetters = stepLogicalId(token, 'DeadLetterQueue');
  const parked = stepLogicalId(token, 'ParkedQueue');
  return {
    [tasks]: queue(
      {
        name: queues.tasks,
        fifo,
        retentionSeconds: TASKS_RETENTION_SECONDS,
        visibilitySeconds: step.visibilityTimeoutSeconds,
        redrive: { to: deadLetters, maxReceiveCount: step.maxReceiveCount },
      },
      deployment,
    ),
    [deadLetters]: {
      ...queue(
        {
          name: queues.deadLetters,
          fifo,
          retentionSeconds: DEAD_LETTERS_RETENTION_SECONDS,
          visibilitySeconds: deadLetterVisibility(deployment),
          redrive: { to: parked, maxReceiveCount: DEAD_LETTERS_MAX_RECEIVE_COUNT },
        },
        deployment,
      ),
      ...RETAINED,
    },
    [parked]: {
      ...queue(
        { name: queues.parked, fifo, retentionSeconds: DEAD_LETTERS_RETENTION_SECONDS, visibilitySeconds: VISIBILITY_SECONDS },
        deployment,
      ),
      ...RETAINED,
    },
    [stepLogicalId(token, 'TasksQueuePolicy')]: tlsOnly(tasks),
    [stepLogicalId(token, 'DeadLetterQueuePolicy')]: tlsOnly(deadLetters),
    [stepLogicalId(token, 'ParkedQueuePolicy')]: tlsOnly(parked),
  };
}

function deadLetterVisibility({ deadLetters }: DurableDeployment): number {
  return deadLetters === undefined ? VISIBILITY_SECONDS : VISIBILITY_PER_FUNCTION_TIMEOUT * deadLetters.timeoutSeconds;
}

function queue({ name, fifo, retentionSeconds, visibilitySeconds, redrive }: Queue, deployment: DurableDeployment): Resource {
  return {
    Type: 'AWS::SQS::Queue',
    Properties: {
      QueueName: name,
      // One busy run must not hold up the others: throughput is counted by message group.
      ...(fifo ? { FifoQueue: true, DeduplicationScope: 'messageGroup', FifoThroughputLimit: 'perMessageGroupId' } : {}),
      MessageRetentionPeriod: retentionSeconds,
      VisibilityTimeout: visibilitySeconds,
      ReceiveMessageWaitTimeSeconds: 20,
      ...queueEncryption(deployment),
      ...(redrive === undefined
        ? {}
        : { RedrivePolicy: { deadLetterTargetArn: arnOf(redrive.to), maxReceiveCount: redrive.maxReceiveCount } }),
    },
  };
}

function tlsOnly(queueId: string): Resource {
  const statement: Value = {
    Sid: 'TlsOnly',
    Effect: 'Deny',
    Principal: '*',
    Action: 'sqs:*',
    Resource: arnOf(queueId),
    Condition: { Bool: { 'aws:SecureTransport': 'false' } },
  };
  return { Type: 'AWS::SQS::QueuePolicy', Properties: { Queues: [ref(queueId)], PolicyDocument: policyDocument([statement]) } };
}
