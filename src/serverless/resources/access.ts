import { entriesOf } from '../config/section.ts';
import type { DurableDeployment } from '../deployment.ts';
import { allSteps, type DurableFunction, type ServiceStep } from '../durable-service.ts';
import {
  allow,
  arnOf,
  isValue,
  mergeStatements,
  policyDocument,
  type Resource,
  type Resources,
  type Statement,
  type Value,
} from './cloudformation.ts';
import { keyStatements } from './encryption.ts';
import { engineFunctionStatements, engineQueueIds } from './engine.ts';
import { ENGINE_POLICY, RESULTS_QUEUE, START_RUN_QUEUE, type StepResource, stepLogicalId, WORKER_POLICY } from './logical-ids.ts';
import { payloadStatements, READ_AND_WRITE, READ_ONLY, WRITE_ONLY } from './payload-bucket.ts';

/**
 * What Lambda's pollers need, with the role of the function. serverless adds these to its own role, and to no other.
 */
const POLL = ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'];

/** What a process of the user's own needs of a queue that it receives from. */
const RECEIVE = ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility'];

/**
 * Every right of one function, and no other: a worker reads its own tasks queues and sends results, and starts runs
 * where it may.
 */
export function functionStatements(
  deployment: DurableDeployment,
  { functionKey }: Pick<DurableFunction, 'functionKey'>,
  { poll }: { poll: boolean },
): readonly Statement[] {
  const tasks = deployment.steps.filter((step) => step.function.functionKey === functionKey);
  const isDeadLetterFunction = deployment.deadLetters?.functionKey === functionKey;
  const withDeadLetters = isDeadLetterFunction ? allSteps(deployment) : [];
  const answers = tasks.length > 0 || isDeadLetterFunction ? [resultsQueueArn(deployment)] : [];
  const starts = deployment.startRuns?.functions.includes(functionKey) === true ? startRunQueueArns(deployment) : [];
  const isEngine = deployment.engine?.function.functionKey === functionKey;
  const engineQueues = isEngine ? engineQueueIds(deployment).map(arnOf) : [];
  const polled = [...queueArns(tasks, 'TasksQueue'), ...queueArns(withDeadLetters, 'DeadLetterQueue'), ...engineQueues];
  return mergeStatements([
    ...(poll ? allow(POLL, polled) : []),
    ...allow(['sqs:ChangeMessageVisibility'], queueArns(tasks, 'TasksQueue')),
    ...allow(['sqs:SendMessage'], [...answers, ...starts]),
    ...allow(['sqs:SendMessage', 'sqs:GetQueueUrl'], queueArns(withDeadLetters, 'ParkedQueue')),
    ...(isEngine ? engineFunctionStatements(deployment) : []),
    ...payloadStatements(
      deployment,
      tasks.length > 0 ? READ_AND_WRITE : [...(isDeadLetterFunction ? READ_ONLY : []), ...(starts.length > 0 ? WRITE_ONLY : [])],
    ),
    ...keyStatements(deployment),
  ]);
}

/** What the mappings of a function's plain `sqs` events need of a role that serverless does not make. */
export function plainEventStatements(events: readonly unknown[]): readonly Statement[] {
  const queues = events.flatMap((event) => {
    const sqs = entriesOf(event)['sqs'];
    const arn: unknown = typeof sqs === 'string' ? sqs : entriesOf(sqs)['arn'];
    return isValue(arn) ? [arn] : [];
  });
  return allow(POLL, queues);
}

/** What the engine's process needs, ready to attach to its role. */
export function enginePolicy(deployment: DurableDeployment): Resources {
  const tasks = queueArns(allSteps(deployment), 'TasksQueue');
  const results = [resultsQueueArn(deployment)];
  const starts = startRunQueueArns(deployment);
  return {
    [ENGINE_POLICY]: managedPolicy(`Engine of ${deployment.prefix}: sends tasks and receives results`, [
      ...allow(['sqs:SendMessage', 'sqs:GetQueueUrl', 'sqs:GetQueueAttributes'], tasks),
      ...allow([...RECEIVE, 'sqs:GetQueueUrl'], [...results, ...starts]),
      ...allow(['sqs:SendMessage'], starts),
      ...payloadStatements(deployment, READ_AND_WRITE),
      ...keyStatements(deployment),
    ]),
  };
}

/** What the workers in containers need, ready to attach to their role. None where functions serve every step. */
export function workerPolicy(deployment: DurableDeployment): Resources {
  if (deployment.containerSteps.length === 0) return {};
  const tasks = queueArns(deployment.containerSteps, 'TasksQueue');
  return {
    [WORKER_POLICY]: managedPolicy(`Workers of ${deployment.prefix} in containers: receive tasks and send results`, [
      ...allow([...RECEIVE, 'sqs:GetQueueUrl'], tasks),
      ...allow(['sqs:SendMessage', 'sqs:GetQueueUrl'], [resultsQueueArn(deployment)]),
      ...payloadStatements(deployment, READ_AND_WRITE),
      ...keyStatements(deployment),
    ]),
  };
}

function managedPolicy(description: string, statements: readonly Statement[]): Resource {
  return { Type: 'AWS::IAM::ManagedPolicy', Properties: { Description: description, PolicyDocument: policyDocument(statements) } };
}

export function resultsQueueArn({ resultsQueue }: Pick<DurableDeployment, 'resultsQueue'>): Value {
  return resultsQueue.owned ? arnOf(RESULTS_QUEUE) : resultsQueue.arn;
}

/** None where runs are not started by message. */
function startRunQueueArns({ startRuns }: Pick<DurableDeployment, 'startRuns'>): readonly Value[] {
  if (startRuns === undefined) return [];
  return [startRuns.owned ? arnOf(START_RUN_QUEUE) : startRuns.arn];
}

function queueArns(steps: readonly ServiceStep[], resource: StepResource): readonly Value[] {
  return steps.map(({ token }) => arnOf(stepLogicalId(token, resource)));
}
