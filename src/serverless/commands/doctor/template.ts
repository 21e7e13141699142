import { readFileSync } from 'node:fs';
import { isRecord } from '../../../wire/shape.ts';
import { CommandError } from '../command-error.ts';
import { type Facts, type FunctionFacts, kindOfName, type MappingFacts, type QueueFacts } from './facts.ts';

/** CloudFormation's and Lambda's own defaults, for what a template does not say. */
const DEFAULTS = { visibilitySeconds: 30, retentionSeconds: 345_600, timeoutSeconds: 3, batchSize: 10 };

type Properties = Record<string, unknown>;
type Resource = readonly [id: string, type: string, properties: Properties];

/** Reads a CloudFormation template in JSON, made by the plugin or by hand. @param prefix of the service @throws CommandError */
export function readTemplate(file: string, prefix: string): Facts {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new CommandError(`expected a CloudFormation template in JSON, got none that can be read at ${file}`, { cause: error });
  }
  const resources = isRecord(parsed) ? parsed['Resources'] : undefined;
  if (!isRecord(resources)) throw new CommandError(`expected a CloudFormation template with Resources at ${file}`);
  return templateFacts(resources, prefix);
}

/**
 * @param resources `Resources` of a template
 * @param prefix of the service: where queues have it, `exam-results` is none of ours. A template by hand may have another
 */
export function templateFacts(resources: Readonly<Record<string, unknown>>, prefix: string): Facts {
  const all = Object.entries(resources).map(([id, resource]): Resource => {
    const { Type, Properties } = isRecord(resource) ? resource : {};
    return [id, typeof Type === 'string' ? Type : '', isRecord(Properties) ? Properties : {}];
  });
  const of = (type: string) => all.filter(([, found]) => found === type);
  const queues = of('AWS::SQS::Queue').map(queueFacts);
  return {
    source: 'template',
    queues,
    prefix: queues.some(({ name }) => kindOfName(name ?? '', prefix) !== undefined) ? prefix : undefined,
    functions: of('AWS::Lambda::Function').map(functionFacts),
    mappings: of('AWS::Lambda::EventSourceMapping').filter(readsQueue).map(mappingFacts),
    watchedQueues: new Set(of('AWS::CloudWatch::Alarm').flatMap(([, , properties]) => referencesIn(properties, all))),
  };
}

function queueFacts([id, , properties]: Resource): QueueFacts {
  const policy = asObject(properties['RedrivePolicy']);
  return {
    id,
    name: text(properties['QueueName']),
    visibilityTimeoutSeconds: number(properties['VisibilityTimeout']) ?? DEFAULTS.visibilitySeconds,
    retentionSeconds: number(properties['MessageRetentionPeriod']) ?? DEFAULTS.retentionSeconds,
    redrive:
      policy === undefined
        ? undefined
        : { to: reference(policy['deadLetterTargetArn']), maxReceiveCount: number(policy['maxReceiveCount']) },
    messages: undefined,
  };
}

function functionFacts([id, , properties]: Resource): FunctionFacts {
  const variables = asObject(asObject(properties['Environment'])?.['Variables']);
  return {
    id,
    name: text(properties['FunctionName']) ?? id,
    runtime: text(properties['Runtime']),
    timeoutSeconds: number(properties['Timeout']) ?? DEFAULTS.timeoutSeconds,
    reservedConcurrency: number(properties['ReservedConcurrentExecutions']),
    prefix: text(variables?.['DURABLE_PREFIX']),
  };
}

/** Streams and Kafka begin at a position, and Amazon MQ has names of queues: such mappings know neither receives nor visibility. */
function readsQueue([, , properties]: Resource): boolean {
  return properties['StartingPosition'] === undefined && properties['Queues'] === undefined;
}

function mappingFacts([id, , properties]: Resource): MappingFacts {
  const types = properties['FunctionResponseTypes'];
  return {
    id,
    queueId: reference(properties['EventSourceArn']) ?? '',
    functionId: reference(properties['FunctionName']),
    batchSize: number(properties['BatchSize']) ?? DEFAULTS.batchSize,
    batchWindowSeconds: number(properties['MaximumBatchingWindowInSeconds']) ?? 0,
    maximumConcurrency: number(asObject(properties['ScalingConfig'])?.['MaximumConcurrency']),
    reportsItemFailures: Array.isArray(types) && types.includes('ReportBatchItemFailures'),
    enabled: properties['Enabled'] !== false && properties['Enabled'] !== 'false',
    filters: properties['FilterCriteria'] !== undefined,
  };
}

/** Logical id of `Ref`, `Fn::GetAtt` in both its forms; a literal as it is. */
function reference(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  const object = asObject(value);
  const attribute = object?.['Fn::GetAtt'];
  if (typeof attribute === 'string') return attribute.split('.')[0];
  if (Array.isArray(attribute)) return text(attribute[0]);
  return text(object?.['Ref']);
}

/** Ids of queues that the dimensions and metrics of an alarm name, by reference or by the queue's name. */
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

/** CloudFormation takes numbers as text too. */
function number(value: unknown): number | undefined {
  if (typeof value !== 'number' && typeof value !== 'string') return undefined;
  return value === '' || Number.isNaN(Number(value)) ? undefined : Number(value);
}
