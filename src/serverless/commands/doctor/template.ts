import { readFileSync } from 'node:fs';
import { kindOfQueueName } from '../../../topology/queue-kinds.ts';
import { isRecord } from '../../../wire/shape.ts';
import { CommandError } from '../command-error.ts';
import { AWS_DEFAULTS, type Facts, type FunctionFacts, type MappingFacts, type QueueFacts } from './facts.ts';
import { privateHosts } from './private-hosts.ts';

type Properties = Record<string, unknown>;
type Resource = readonly [id: string, type: string, properties: Properties];

/**
 * Reads a CloudFormation template in JSON, packaged or written by hand.
 * @param prefix of the service
 * @throws CommandError
 */
export function readTemplate(file: string, prefix: string): Facts {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new CommandError(`expected a CloudFormation template in JSON, got nothing readable at ${file}`, { cause: error });
  }
  const resources = isRecord(parsed) ? parsed['Resources'] : undefined;
  if (!isRecord(resources)) throw new CommandError(`expected a CloudFormation template with Resources at ${file}`);
  return templateFacts(resources, prefix);
}

/**
 * @param resources `Resources` of a template
 * @param prefix of the service. Where a queue has it, `exam-results` is not a queue of the service; a hand-written
 * template may have another
 */
export function templateFacts(resources: Readonly<Record<string, unknown>>, prefix: string): Facts {
  const all = Object.entries(resources).map(([id, resource]): Resource => {
    const { Type, Properties } = isRecord(resource) ? resource : {};
    return [id, typeof Type === 'string' ? Type : '', isRecord(Properties) ? Properties : {}];
  });
  const of = (type: string) => all.filter(([, found]) => found === type);
  const queues = of('AWS::SQS::Queue').map(templateQueue);
  return {
    source: 'template',
    queues,
    prefix: queues.some(({ name }) => kindOfQueueName(name ?? '', prefix) !== undefined) ? prefix : undefined,
    functions: of('AWS::Lambda::Function').map(templateFunction),
    mappings: of('AWS::Lambda::EventSourceMapping').filter(readsQueue).map(templateMapping),
    schedules: [...of('AWS::Events::Rule').flatMap(ruleSchedules), ...of('AWS::Scheduler::Schedule').map(schedulerSchedule)],
    watchedQueues: new Set(of('AWS::CloudWatch::Alarm').flatMap(([, , properties]) => referencesIn(properties, all))),
  };
}

function templateQueue([id, , properties]: Resource): QueueFacts {
  const policy = asObject(properties['RedrivePolicy']);
  return {
    id,
    name: text(properties['QueueName']),
    visibilityTimeoutSeconds: number(properties['VisibilityTimeout']) ?? AWS_DEFAULTS.visibilityTimeoutSeconds,
    retentionSeconds: number(properties['MessageRetentionPeriod']) ?? AWS_DEFAULTS.retentionSeconds,
    redrive:
      policy === undefined
        ? undefined
        : { to: reference(policy['deadLetterTargetArn']), maxReceiveCount: number(policy['maxReceiveCount']) },
    messages: undefined,
  };
}

function templateFunction([id, , properties]: Resource): FunctionFacts {
  const variables = asObject(asObject(properties['Environment'])?.['Variables']);
  return {
    id,
    name: text(properties['FunctionName']) ?? id,
    runtime: text(properties['Runtime']),
    timeoutSeconds: number(properties['Timeout']) ?? AWS_DEFAULTS.functionTimeoutSeconds,
    reservedConcurrency: number(properties['ReservedConcurrentExecutions']),
    prefix: text(variables?.['DURABLE_PREFIX']),
    inVpc: asObject(properties['VpcConfig']) !== undefined,
    privateHosts: privateHosts(variables ?? {}),
    allowsLoop: properties['RecursiveLoop'] === 'Allow',
  };
}

/** A rule that matches events instead is no schedule. */
function ruleSchedules([, , { ScheduleExpression, State, Targets }]: Resource) {
  if (ScheduleExpression === undefined || !Array.isArray(Targets)) return [];
  return Targets.map((target: unknown) => ({ functionId: reference(asObject(target)?.['Arn']) ?? '', enabled: State !== 'DISABLED' }));
}

function schedulerSchedule([, , { State, Target }]: Resource) {
  return { functionId: reference(asObject(Target)?.['Arn']) ?? '', enabled: State !== 'DISABLED' };
}

/** Mappings of streams and Kafka have a starting position, those of Amazon MQ names of queues. */
function readsQueue([, , properties]: Resource): boolean {
  return properties['StartingPosition'] === undefined && properties['Queues'] === undefined;
}

function templateMapping([id, , properties]: Resource): MappingFacts {
  const types = properties['FunctionResponseTypes'];
  return {
    id,
    queueId: reference(properties['EventSourceArn']) ?? '',
    functionId: reference(properties['FunctionName']),
    batchSize: number(properties['BatchSize']) ?? AWS_DEFAULTS.batchSize,
    batchWindowSeconds: number(properties['MaximumBatchingWindowInSeconds']) ?? AWS_DEFAULTS.batchWindowSeconds,
    maximumConcurrency: number(asObject(properties['ScalingConfig'])?.['MaximumConcurrency']),
    reportsItemFailures: Array.isArray(types) && types.includes('ReportBatchItemFailures'),
    enabled: properties['Enabled'] !== false && properties['Enabled'] !== 'false',
    filters: properties['FilterCriteria'] !== undefined,
  };
}

/** The logical id in `Ref` or `Fn::GetAtt` (both its forms); a literal as it is. */
function reference(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  const object = asObject(value);
  const attribute = object?.['Fn::GetAtt'];
  if (typeof attribute === 'string') return attribute.split('.')[0];
  if (Array.isArray(attribute)) return text(attribute[0]);
  return text(object?.['Ref']);
}

/** Ids of the queues that an alarm's dimensions and metrics name, by reference or by the queue's name. */
function referencesIn(value: unknown, resources: readonly Resource[]): string[] {
  if (typeof value === 'string') return resources.filter(([, , { QueueName }]) => QueueName === value).map(([id]) => id);
  if (Array.isArray(value)) return value.flatMap((item) => referencesIn(item, resources));
  if (!isRecord(value)) return [];
  const id = 'Ref' in value || 'Fn::GetAtt' in value ? reference(value) : undefined;
  return id === undefined ? Object.values(value).flatMap((item) => referencesIn(item, resources)) : [id];
}

function asObject(value: unknown): Properties | undefined {
  return isRecord(value) ? value : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** CloudFormation accepts numbers as text, too. */
function number(value: unknown): number | undefined {
  if (typeof value !== 'number' && typeof value !== 'string') return undefined;
  return value === '' || Number.isNaN(Number(value)) ? undefined : Number(value);
}
