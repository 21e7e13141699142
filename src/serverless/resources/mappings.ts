import type { DurableDeployment } from '../deployment.ts';
import { allSteps, type DurableFunction } from '../durable-service.ts';
import type { Value } from './cloudformation.ts';
import { engineQueueIds } from './engine.ts';
import { stepLogicalId } from './logical-ids.ts';
import { mappingDependency } from './roles.ts';

/** One event source mapping: the `sqs` event that serverless makes it of, and what serverless has no words for. */
export interface Mapping {
  readonly functionKey: string;
  /** Logical id of the queue. */
  readonly queueId: string;
  readonly sqs: Readonly<Record<string, Value>>;
  readonly extraProperties: Readonly<Record<string, Value>>;
  readonly dependsOn: string | undefined;
}

/**
 * The mappings of all steps that functions serve, of the dead-letter function to every dead-letter queue, and of the
 * engine to its queues.
 */
export function mappings(deployment: DurableDeployment): Mapping[] {
  const ofSteps = deployment.steps.map((step) => {
    const pollers = step.provisionedPollers;
    const sqs = {
      batchSize: step.batchSize,
      enabled: step.enabled,
      ...(step.batchWindowSeconds === 0 ? {} : { maximumBatchingWindow: step.batchWindowSeconds }),
      ...(step.maximumConcurrency === undefined ? {} : { maximumConcurrency: step.maximumConcurrency }),
    };
    const extra: Mapping['extraProperties'] =
      pollers === undefined ? {} : { ProvisionedPollerConfig: { MinimumPollers: pollers.minimum, MaximumPollers: pollers.maximum } };
    return mapping(deployment, step.function, stepLogicalId(step.token, 'TasksQueue'), sqs, extra);
  });
  return [...ofSteps, ...deadLetterMappings(deployment), ...engineMappings(deployment)];
}

function deadLetterMappings(deployment: DurableDeployment): Mapping[] {
  const { deadLetters, deadLetterMapping: settings } = deployment;
  if (deadLetters === undefined || settings === undefined) return [];
  const { batchSize, maximumConcurrency, enabled } = settings;
  const sqs = { batchSize, maximumConcurrency, enabled };
  return allSteps(deployment).map((step) => mapping(deployment, deadLetters, stepLogicalId(step.token, 'DeadLetterQueue'), sqs, {}));
}

function engineMappings(deployment: DurableDeployment): Mapping[] {
  const { engine } = deployment;
  if (engine === undefined) return [];
  const { batchSize, maximumConcurrency, enabled } = engine;
  const sqs = { batchSize, maximumConcurrency, enabled };
  return engineQueueIds(deployment).map((queueId) => mapping(deployment, engine.function, queueId, sqs, {}));
}

function mapping(
  deployment: DurableDeployment,
  fn: DurableFunction,
  queueId: string,
  settings: Mapping['sqs'],
  extraProperties: Mapping['extraProperties'],
): Mapping {
  // Without ReportBatchItemFailures Lambda deletes every record of a batch that did not throw.
  const sqs = { arn: { 'Fn::GetAtt': [queueId, 'Arn'] }, functionResponseType: 'ReportBatchItemFailures', ...settings };
  return { functionKey: fn.functionKey, queueId, sqs, extraProperties, dependsOn: mappingDependency(deployment, fn) };
}
