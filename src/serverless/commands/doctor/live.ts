import type { EventSourceMappingConfiguration } from '@aws-sdk/client-lambda';
import { SqsRequestError } from '../../../errors.ts';
import type { DurableService } from '../../durable-service.ts';
import { type AdminLambda, LambdaRequestError } from '../aws/admin-lambda.ts';
import type { AdminSqs } from '../aws/admin-sqs.ts';
import { depthOf } from '../aws/queue-depth.ts';
import { queuePlan, resultsName } from '../queue-plan.ts';
import { type Facts, type Finding, type FunctionFacts, kindOfName, type MappingFacts, type QueueFacts } from './facts.ts';
import { leftovers } from './leftovers.ts';

/** A Lambda to ask, or why there is none. */
export type LambdaSource = { readonly ask: AdminLambda } | { readonly unasked: string };

export interface Live {
  readonly facts: Facts;
  /** What only a look at AWS shows. */
  readonly findings: readonly Finding[];
  /** Why mappings and functions are not among the facts: there was no Lambda, or it did not answer. */
  readonly lambdaProblem: string | LambdaRequestError | undefined;
  /** Why queues of other names were not looked at. */
  readonly listProblem: SqsRequestError | undefined;
}

/** What is on AWS of a service. What Lambda does not tell does not keep the queues from being looked at. */
export async function readLive(service: DurableService, sqs: AdminSqs, source: LambdaSource): Promise<Live> {
  const plan = queuePlan(service);
  const looked = await Promise.all(plan.map(async ({ name }) => ({ name, found: await queueNamed(sqs, name) })));
  const queues = looked.flatMap(({ found }) => found ?? []);
  const absent = looked.filter(({ found }) => found === undefined).map(({ name }) => missing(name, isForeign(service, name)));
  const own = new Set(plan.map(({ name }) => name));
  const { others, listProblem } = await othersWithMessages(sqs, own);
  const { answer, problem } = await askLambda(source, service, queues, others);
  const { mappings, functions, unread, readBySomebody } = answer;
  const leftover = others.map(({ name, messages, arn }) => ({
    name,
    messages,
    mapped: arn === undefined ? undefined : readBySomebody?.has(arn),
  }));
  return {
    facts: { source: 'live', queues, functions, mappings: mappings.map(mappingFacts), watchedQueues: undefined },
    findings: [...absent, ...unread, ...leftovers(leftover, service.prefix, own)],
    lambdaProblem: problem,
    listProblem,
  };
}

async function queueNamed(sqs: AdminSqs, name: string): Promise<QueueFacts | undefined> {
  const url = await sqs.findQueueUrl(name);
  return url === undefined ? undefined : queueFacts(name, await sqs.attributes(url));
}

interface LambdaAnswer {
  readonly mappings: readonly EventSourceMappingConfiguration[];
  readonly functions: readonly FunctionFacts[];
  readonly unread: readonly Finding[];
  /** ARNs of the other queues that some mapping reads; undefined where nobody knows. */
  readonly readBySomebody: ReadonlySet<string> | undefined;
}

const NO_ANSWER: LambdaAnswer = { mappings: [], functions: [], unread: [], readBySomebody: undefined };

async function askLambda(source: LambdaSource, service: DurableService, queues: readonly QueueFacts[], others: readonly OtherQueue[]) {
  if ('unasked' in source) return { answer: NO_ANSWER, problem: source.unasked };
  const lambda = source.ask;
  try {
    const mapped = queues.filter(({ name = '' }) => ['tasks', 'dead-letters'].includes(kindOfName(name) ?? ''));
    const mappings = (await Promise.all(mapped.map(({ id }) => lambda.mappingsOfQueue(id)))).flat();
    const functions = await functionsOf(mappings, lambda);
    const arns = others.flatMap(({ arn }) => arn ?? []);
    const read = await Promise.all(arns.map(async (arn) => ((await lambda.mappingsOfQueue(arn)).length > 0 ? [arn] : [])));
    return {
      answer: { mappings, functions, unread: unread(service, mapped, mappings), readBySomebody: new Set(read.flat()) },
      problem: undefined,
    };
  } catch (error) {
    if (error instanceof LambdaRequestError) return { answer: NO_ANSWER, problem: error };
    throw error;
  }
}

/** Another service owns it, maybe in another account or region. */
function isForeign(service: DurableService, name: string): boolean {
  return !service.resultsQueue.owned && name === resultsName(service);
}

function missing(name: string, foreign: boolean): Finding {
  const where = `live: ${name}`;
  if (foreign) {
    const why =
      'the results queue is of another service, and not to be found in this account and region: nothing here tells whether it exists';
    return { id: 'queue-missing', severity: 'warning', where, why, fix: 'if it should be here, deploy the service that owns it' };
  }
  const why = 'the service has this queue, and it does not exist in this account and region';
  return {
    id: 'queue-missing',
    severity: 'error',
    where,
    why,
    fix: 'deploy the service, or look in another --stage or --region',
  };
}

/** Tasks queues that no function reads, and dead-letter queues where the service has a function for them. */
function unread(
  { deadLetters }: DurableService,
  queues: readonly QueueFacts[],
  mappings: readonly EventSourceMappingConfiguration[],
): Finding[] {
  return queues.flatMap(({ id, name = '' }): Finding[] => {
    const tasks = kindOfName(name) === 'tasks';
    if ((!tasks && deadLetters === undefined) || mappings.some(({ EventSourceArn }) => EventSourceArn === id)) return [];
    const why = tasks
      ? 'no function is mapped to this tasks queue: its tasks wait until they expire'
      : 'no function is mapped to this dead-letter queue: no run is told of its dead letters, and waits for ever';
    return [{ id: 'mapping-missing', severity: 'error', where: `live: ${name}`, why, fix: 'deploy the service' }];
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

interface OtherQueue {
  readonly name: string;
  readonly arn: string | undefined;
  readonly messages: number;
}

/** Every queue that could hold messages of this service by another name, and holds some. Nobody needs rights on the queues of others. */
async function othersWithMessages(sqs: AdminSqs, own: ReadonlySet<string>) {
  const listed = await sqs.listQueues('').catch(refusal);
  if (!Array.isArray(listed)) return { others: [], listProblem: listed };
  const looked = await Promise.all(
    listed
      .map((url) => ({ url, name: url.split('/').at(-1) ?? url }))
      .filter(({ name }) => kindOfName(name) !== undefined && !own.has(name))
      .map(async ({ url, name }): Promise<OtherQueue[]> => {
        const attributes = await sqs.attributes(url).catch(refusal);
        // Deleted a moment ago, or somebody else's.
        if (attributes instanceof SqsRequestError) return [];
        const { visible, inFlight, delayed } = depthOf(attributes);
        const messages = visible + inFlight + delayed;
        return messages === 0 ? [] : [{ name, arn: attributes['QueueArn'], messages }];
      }),
  );
  return { others: looked.flat(), listProblem: undefined };
}

function refusal(error: unknown): SqsRequestError {
  if (error instanceof SqsRequestError && !error.transient) return error;
  throw error;
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
