import type { DurableDeployment } from '../deployment.ts';
import { allSteps } from '../durable-service.ts';
import { enginePolicy, resultsQueueArn, workerPolicy } from './access.ts';
import { alarmResources } from './alarms.ts';
import { arnOf, type Outputs, type Resources, ref } from './cloudformation.ts';
import { dashboardResources } from './dashboard.ts';
import { keyArn, keyResources } from './encryption.ts';
import { ENGINE_POLICY, RESULTS_QUEUE, START_RUN_QUEUE, stepLogicalId, WORKER_POLICY } from './logical-ids.ts';
import { ownKeyPrefix, payloadBucketName, payloadBucketResources } from './payload-bucket.ts';
import { queueResources } from './queues.ts';
import { type RoleContext, roleResources } from './roles.ts';
import { tagged } from './tags.ts';

/** @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html */
export const MAX_RESOURCES = 500;

/** Everything of a service but its functions and mappings, which serverless makes. */
export function stackResources(deployment: DurableDeployment, contextOf: (functionKey: string) => RoleContext): Resources {
  const resources = {
    ...keyResources(deployment),
    ...queueResources(deployment),
    ...payloadBucketResources(deployment),
    ...roleResources(deployment, contextOf),
    ...alarmResources(deployment),
    ...dashboardResources(deployment),
    ...enginePolicy(deployment),
    ...workerPolicy(deployment),
  };
  return tagged(resources, deployment.tags);
}

/** What an engine's deployment asks of this stack. */
export function stackOutputs(deployment: DurableDeployment): Outputs {
  const { resultsQueue, prefix, containerSteps } = deployment;
  const bucket = payloadBucketName(deployment);
  const key = keyArn(deployment);
  const keyPrefix = ownKeyPrefix(deployment);
  return {
    DurablePrefix: { Description: 'prefix of SqsTransport in the engine', Value: prefix },
    DurableResultsQueueUrl: {
      Description: 'queue that the engine receives results from',
      Value: resultsQueue.owned ? ref(RESULTS_QUEUE) : resultsQueue.url,
    },
    DurableResultsQueueArn: { Description: 'ARN of that queue, for services that share it', Value: resultsQueueArn(deployment) },
    ...startOutputs(deployment),
    ...(key === undefined ? {} : { DurableKeyArn: { Description: 'kmsKey of services that share the results queue', Value: key } }),
    DurableEnginePolicyArn: { Description: 'managed policy for the role of the engine', Value: ref(ENGINE_POLICY) },
    ...(containerSteps.length === 0
      ? {}
      : { DurableWorkerPolicyArn: { Description: 'managed policy for the role of the workers in containers', Value: ref(WORKER_POLICY) } }),
    ...(bucket === undefined ? {} : { DurablePayloadBucketName: { Description: 'bucket of large messages', Value: bucket } }),
    ...(keyPrefix === undefined
      ? {}
      : { DurablePayloadKeyPrefix: { Description: 'keyPrefix of s3PayloadStore in the engine', Value: keyPrefix } }),
    ...Object.fromEntries(
      allSteps(deployment).map((step) => {
        const id = stepLogicalId(step.token, 'TasksQueue');
        return [stepLogicalId(step.token, 'TasksQueueUrl'), { Description: `tasks queue of ${step.token}`, Value: ref(id) }];
      }),
    ),
  };
}

function startOutputs({ startRuns }: DurableDeployment): Outputs {
  if (startRuns?.owned !== true) return {};
  return {
    DurableStartRunQueueUrl: { Description: 'queue for starts of runs; the engine needs startRuns: true', Value: ref(START_RUN_QUEUE) },
    DurableStartRunQueueArn: { Description: 'ARN of that queue, for services that share it', Value: arnOf(START_RUN_QUEUE) },
  };
}

/** What is wrong with the size of a whole template, if anything. */
export function stackSizeProblem(resources: number, steps: number): string | undefined {
  if (resources <= MAX_RESOURCES) return undefined;
  return (
    `resources: expected at most ${MAX_RESOURCES} in one stack (CloudFormation's limit), got ${resources}, with ${steps} durable steps; ` +
    'move steps to another service that shares the results queue (resultsQueue: { url, arn }), or set alarms: false'
  );
}
