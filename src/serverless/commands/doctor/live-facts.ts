import type { EventSourceMappingConfiguration } from '@aws-sdk/client-lambda';
import type { LiveFunction } from '../aws/admin-lambda.ts';
import { messagesIn, queueDepth } from '../aws/queue-depth.ts';
import { AWS_DEFAULTS, type FunctionFacts, type MappingFacts, type QueueFacts } from './facts.ts';
import { privateHosts } from './private-hosts.ts';

/** @param attributes all attributes, as `GetQueueAttributes` gives them */
export function liveQueue(name: string, attributes: Readonly<Record<string, string>>): QueueFacts {
  const policy: { deadLetterTargetArn?: unknown; maxReceiveCount?: unknown } | undefined =
    attributes['RedrivePolicy'] === undefined ? undefined : JSON.parse(attributes['RedrivePolicy']);
  return {
    id: attributes['QueueArn'] ?? name,
    name,
    visibilityTimeoutSeconds: Number(attributes['VisibilityTimeout'] ?? AWS_DEFAULTS.visibilityTimeoutSeconds),
    retentionSeconds: Number(attributes['MessageRetentionPeriod'] ?? AWS_DEFAULTS.retentionSeconds),
    redrive:
      policy === undefined
        ? undefined
        : {
            to: typeof policy.deadLetterTargetArn === 'string' ? policy.deadLetterTargetArn : undefined,
            maxReceiveCount: policy.maxReceiveCount === undefined ? undefined : Number(policy.maxReceiveCount),
          },
    messages: messagesIn(queueDepth(attributes)),
  };
}

export function liveMapping(mapping: EventSourceMappingConfiguration): MappingFacts {
  return {
    id: mapping.UUID ?? '',
    queueId: mapping.EventSourceArn ?? '',
    functionId: mapping.FunctionArn,
    batchSize: mapping.BatchSize ?? AWS_DEFAULTS.batchSize,
    batchWindowSeconds: mapping.MaximumBatchingWindowInSeconds ?? AWS_DEFAULTS.batchWindowSeconds,
    maximumConcurrency: mapping.ScalingConfig?.MaximumConcurrency,
    reportsItemFailures: mapping.FunctionResponseTypes?.includes('ReportBatchItemFailures') ?? false,
    enabled: mapping.State !== 'Disabled' && mapping.State !== 'Disabling',
    filters: (mapping.FilterCriteria?.Filters?.length ?? 0) > 0,
  };
}

/** @param arn of the function, as its mapping has it: with the version or alias, where it names one */
export function liveFunction(arn: string, live: LiveFunction): FunctionFacts {
  const { runtime, timeoutSeconds, reservedConcurrency, environment, inVpc } = live;
  return {
    id: arn,
    name: arn.split(':')[6] ?? arn,
    runtime,
    timeoutSeconds,
    reservedConcurrency,
    prefix: environment['DURABLE_PREFIX'],
    inVpc,
    privateHosts: privateHosts(environment),
  };
}
