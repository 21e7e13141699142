import type { PrivateHost } from './private-hosts.ts';

/**
 * What doctor knows of a service, from a packaged template or from AWS. Rules read this and nothing else. Durations in
 * seconds.
 */
export interface Facts {
  readonly source: 'template' | 'live';
  readonly queues: readonly QueueFacts[];
  readonly functions: readonly FunctionFacts[];
  readonly mappings: readonly MappingFacts[];
  /** Ids of queues that have an alarm; undefined where that is not known. */
  readonly watchedQueues: ReadonlySet<string> | undefined;
  /** What a schedule of EventBridge invokes; undefined where that is not known. */
  readonly schedules?: readonly { readonly functionId: string; readonly enabled: boolean }[] | undefined;
  /** Prefix of the service's queues. Undefined: unknown, so a queue of any prefix may be the service's. */
  readonly prefix?: string | undefined;
}

export interface QueueFacts {
  /** Logical id in a template, ARN on AWS. */
  readonly id: string;
  /** Undefined where the template leaves the name to CloudFormation. */
  readonly name: string | undefined;
  readonly visibilityTimeoutSeconds: number;
  readonly retentionSeconds: number;
  readonly redrive: { readonly to: string | undefined; readonly maxReceiveCount: number | undefined } | undefined;
  /** Messages in the queue; undefined in a template. */
  readonly messages: number | undefined;
}

export interface FunctionFacts {
  readonly id: string;
  readonly name: string;
  readonly runtime: string | undefined;
  readonly timeoutSeconds: number;
  readonly reservedConcurrency: number | undefined;
  /** `DURABLE_PREFIX`, where it is plain text. */
  readonly prefix: string | undefined;
  /** Whether it is in a VPC; undefined where that is not known, as for the next two. */
  readonly inVpc?: boolean | undefined;
  readonly privateHosts?: readonly PrivateHost[] | undefined;
  /** Whether Lambda lets it be invoked in a circle. */
  readonly allowsLoop?: boolean | undefined;
}

export interface MappingFacts {
  readonly id: string;
  /** Id of its queue. Where another stack owns the queue: what stands in its place, an ARN or an import. */
  readonly queueId: string;
  readonly functionId: string | undefined;
  readonly batchSize: number;
  readonly batchWindowSeconds: number;
  readonly maximumConcurrency: number | undefined;
  readonly reportsItemFailures: boolean;
  readonly enabled: boolean;
  readonly filters: boolean;
}

/**
 * AWS's own values for what a template or an answer leaves out.
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queue.html
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventsourcemapping.html
 */
export const AWS_DEFAULTS = {
  visibilityTimeoutSeconds: 30,
  retentionSeconds: 345_600,
  functionTimeoutSeconds: 3,
  batchSize: 10,
  batchWindowSeconds: 0,
} as const;
