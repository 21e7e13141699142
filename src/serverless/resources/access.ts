import { entriesOf } from '../config/section.ts';
import type { DurableDeployment } from '../deployment.ts';
import type { DurableFunction } from '../durable-service.ts';
import { allow, arnOf, isValue, mergeStatements, policyDocument, type Resources, type Statement, type Value } from './cloudformation.ts';
import { keyStatements } from './encryption.ts';
import { ENGINE_POLICY, RESULTS_QUEUE, type StepResource, stepLogicalId } from './logical-ids.ts';
import { payloadStatements, READ_AND_WRITE, READ_ONLY } from './payload-bucket.ts';

/** What Lambda's pollers need, with the role of the function. serverless adds these to its own role, and to no other. */
const POLL = ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'];

/** Every right of one function, and no other: it reads its own tasks queues and sends to the results queue. */
export function functionStatements(deployment: DurableDeployment, fn: DurableFunction, { poll }: { poll: boolean }): readonly Statement[] {
  const tasks = deployment.steps.filter((step) => step.function.functionKey === fn.functionKey).map((step) => step.token);
  const deadLetterTokens = deployment.deadLetters?.functionKey === fn.functionKey ? deployment.steps.map((step) => step.token) : [];
  const polled = [...queueArns(tasks, 'TasksQueue'), ...queueArns(deadLetterTokens, 'DeadLetterQueue')];
  return mergeStatements([
    ...(poll ? allow(POLL, polled) : []),
    ...allow(['sqs:ChangeMessageVisibility'], queueArns(tasks, 'TasksQueue')),
    ...allow(['sqs:SendMessage'], [resultsQueueArn(deployment)]),
    ...allow(['sqs:SendMessage', 'sqs:GetQueueUrl'], queueArns(deadLetterTokens, 'ParkedQueue')),
    ...payloadStatements(deployment, tasks.length > 0 ? READ_AND_WRITE : READ_ONLY),
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
  const tasks = queueArns(
    deployment.steps.map((step) => step.token),
    'TasksQueue',
  );
  const results = [resultsQueueArn(deployment)];
  const statements = [
    ...allow(['sqs:SendMessage', 'sqs:GetQueueUrl', 'sqs:GetQueueAttributes'], tasks),
    ...allow(['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility', 'sqs:GetQueueUrl'], results),
    ...payloadStatements(deployment, READ_AND_WRITE),
    ...keyStatements(deployment),
  ];
  return {
    [ENGINE_POLICY]: {
      Type: 'AWS::IAM::ManagedPolicy',
      Properties: {
        Description: `Engine of ${deployment.prefix}: sends tasks and receives results`,
        PolicyDocument: policyDocument(statements),
      },
    },
  };
}

export function resultsQueueArn({ resultsQueue }: Pick<DurableDeployment, 'resultsQueue'>): Value {
  return resultsQueue.owned ? arnOf(RESULTS_QUEUE) : resultsQueue.arn;
}

function queueArns(tokens: readonly string[], resource: StepResource): readonly Value[] {
  return tokens.map((token) => arnOf(stepLogicalId(token, resource)));
}
