import type { PlannedQueue } from '../../topology/planned-queues.ts';
import { encryption, plainAttributes, redrivePolicy } from '../../topology/queue-attributes.ts';
import { QUEUES } from '../../topology/queue-kinds.ts';
import type { DurableDeployment } from '../deployment.ts';
import { ownQueuePlan } from '../queue-plan.ts';
import { arnOf, policyDocument, RETAINED, type Resource, type Resources, ref, type Value } from './cloudformation.ts';
import { keyArn } from './encryption.ts';
import { queueLogicalId } from './logical-ids.ts';

/** Every queue that this service makes, each with its policy. */
export function queueResources(deployment: DurableDeployment): Resources {
  const plan = ownQueuePlan(deployment);
  const idByName = new Map(plan.map((queue) => [queue.name, queueLogicalId(queue)]));
  return Object.fromEntries(
    plan.flatMap((queue): [string, Resource][] => {
      const id = queueLogicalId(queue);
      const target = queue.redrive && idByName.get(queue.redrive.to);
      return [
        [id, queueResource(queue, target, keyArn(deployment))],
        [queueLogicalId(queue, 'Policy'), { ...tlsOnly(id), ...retention(queue) }],
      ];
    }),
  );
}

/** @param target logical id of the queue that it redrives to */
function queueResource(queue: PlannedQueue, target: string | undefined, key: Value | undefined): Resource {
  const policy = target === undefined ? undefined : redrivePolicy(queue, arnOf(target));
  return {
    Type: 'AWS::SQS::Queue',
    ...retention(queue),
    Properties: {
      QueueName: queue.name,
      ...plainAttributes(queue),
      ...encryption(key),
      ...(policy === undefined ? {} : { RedrivePolicy: policy }),
    },
  };
}

/** A queue that outlives its stack keeps its policy: what lies in it is worth no less. */
function retention({ kind }: PlannedQueue) {
  return QUEUES[kind].outlivesStack ? RETAINED : {};
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
