import type { EventSourceMappingConfiguration } from '@aws-sdk/client-lambda';
import type { DurableService } from '../../durable-service.ts';
import type { AdminLambda } from '../admin-lambda.ts';
import type { AdminSqs } from '../admin-sqs.ts';
import { depthOf } from '../depth.ts';
import { queuePlan } from '../queue-plan.ts';
import { type Facts, type Finding, type FunctionFacts, kindOfName, type MappingFacts, type QueueFacts } from './facts.ts';
import { type ListedQueue, leftovers } from './leftovers.ts';

/** What is on AWS of a service, and findings that only a look at AWS gives. */
export async function readLive(
  service: DurableService,
  sqs: AdminSqs,
  lambda: AdminLambda | undefined,
): Promise<{ readonly facts: Facts; readonly findings: readonly Finding[] }> {
  const plan = queuePlan(service);
  const findings: Finding[] = [];
  const queues: QueueFacts[] = [];
  for (const { name } of plan) {
    const url = await sqs.findQueueUrl(name);
    if (url !== undefined) queues.push(queueFacts(name, await sqs.attributes(url)));
    else findings.push(missing(name));
  }
  const mappings = lambda === undefined ? [] : (await Promise.all(mapped(queues).map(({ id }) => lambda.mappingsOfQueue(id)))).flat();
  if (lambda !== undefined) findings.push(...unread(queues, mappings));
  const functions = lambda === undefined ? [] : await functionsOf(mappings, lambda);
  const own = new Set(plan.map(({ name }) => name));
  findings.push(...leftovers(await listed(sqs, lambda, own), service.prefix, own));
  return { facts: { source: 'live', queues, functions, mappings: mappings.map(mappingFacts), watchedQueues: undefined }, findings };
}

function mapped(queues: readonly QueueFacts[]): QueueFacts[] {
  return queues.filter(({ name = '' }) => ['tasks', 'dead-letters'].includes(kindOfName(name) ?? ''));
}

function missing(name: string): Finding {
  const why = 'the service has this queue, and it does not exist in this account and region';
  return {
    id: 'queue-missing',
    severity: 'error',
    where: `live: ${name}`,
    why,
    mend: 'deploy the service, or look in another --stage or --region',
  };
}

function unread(queues: readonly QueueFacts[], mappings: readonly EventSourceMappingConfiguration[]): Finding[] {
  return queues
    .filter(({ id, name = '' }) => kindOfName(name) === 'tasks' && !mappings.some(({ EventSourceArn }) => EventSourceArn === id))
    .map(({ name }) => {
      const why = 'no function is mapped to this tasks queue: its tasks wait until they expire';
      return { id: 'mapping-missing', severity: 'error', where: `live: ${name}`, why, mend: 'deploy the service' };
    });
}

async function functionsOf(mappings: readonly EventSourceMappingConfiguration[], lambda: AdminLambda): Promise<FunctionFacts[]> {
  const names = new Set(mappings.flatMap(({ FunctionArn }) => FunctionArn ?? []));
  const found = await Promise.all(
    [...names].map(async (id): Promise<FunctionFacts[]> => {
      const live = await lambda.functionFacts(id);
      if (live === undefined) return [];
      const { runtime, timeoutSeconds, reservedConcurrency, environment } = live;
      return [{ id, name: id.split(':')[6] ?? id, runtime, timeoutSeconds, reservedConcurrency, prefix: environment['DURABLE_PREFIX'] }];
    }),
  );
  return found.flat();
}

/** Every queue that could hold messages of this service by another name. */
async function listed(sqs: AdminSqs, lambda: AdminLambda | undefined, own: ReadonlySet<string>): Promise<ListedQueue[]> {
  const urls = (await sqs.listQueues('')).filter((url) => {
    const name = url.split('/').at(-1) ?? '';
    return kindOfName(name) !== undefined && !own.has(name);
  });
  return Promise.all(
    urls.map(async (url) => {
      const attributes = await sqs.attributes(url);
      const { visible, inFlight, delayed } = depthOf(attributes);
      const messages = visible + inFlight + delayed;
      const arn = attributes['QueueArn'];
      const mappedBy = lambda === undefined || arn === undefined || messages === 0 ? undefined : await lambda.mappingsOfQueue(arn);
      return { name: url.split('/').at(-1) ?? url, messages, mapped: mappedBy === undefined ? undefined : mappedBy.length > 0 };
    }),
  );
}

export function queueFacts(name: string, attributes: Readonly<Record<string, string>>): QueueFacts {
  const policy: { deadLetterTargetArn?: unknown; maxReceiveCount?: unknown } | undefined =
    attributes['RedrivePolicy'] === undefined ? undefined : JSON.parse(attributes['RedrivePolicy']);
  const { visible, inFlight, delayed } = depthOf(attributes);
  return {
    id: attributes['QueueArn'] ?? name,
    name,
    visibilityTimeoutSeconds: Number(attributes['VisibilityTimeout'] ?? 30),
    retentionSeconds: Number(attributes['MessageRetentionPeriod'] ?? 345_600),
    redrive:
      policy === undefined
        ? undefined
        : {
            to: typeof policy.deadLetterTargetArn === 'string' ? policy.deadLetterTargetArn : undefined,
            maxReceiveCount: policy.maxReceiveCount === undefined ? undefined : Number(policy.maxReceiveCount),
          },
    messages: visible + inFlight + delayed,
  };
}

export function mappingFacts(mapping: EventSourceMappingConfiguration): MappingFacts {
  return {
    id: mapping.UUID ?? '',
    queueId: mapping.EventSourceArn ?? '',
    functionId: mapping.FunctionArn,
    batchSize: mapping.BatchSize ?? 10,
    batchWindowSeconds: mapping.MaximumBatchingWindowInSeconds ?? 0,
    maximumConcurrency: mapping.ScalingConfig?.MaximumConcurrency,
    reportsItemFailures: mapping.FunctionResponseTypes?.includes('ReportBatchItemFailures') ?? false,
    enabled: mapping.State !== 'Disabled' && mapping.State !== 'Disabling',
    filters: (mapping.FilterCriteria?.Filters?.length ?? 0) > 0,
  };
}
