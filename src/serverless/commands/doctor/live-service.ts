import type { SqsRequestError } from '../../../errors.ts';
import { kindOfQueueName } from '../../../topology/queue-kinds.ts';
import type { DurableService } from '../../durable-service.ts';
import { queuePlan } from '../../queue-plan.ts';
import { type AdminLambda, LambdaRequestError } from '../aws/admin-lambda.ts';
import type { AdminSqs } from '../aws/admin-sqs.ts';
import type { EventsConnection, LambdaConnection } from '../aws/connect.ts';
import type { Facts, FunctionFacts, MappingFacts, QueueFacts } from './facts.ts';
import type { Finding } from './finding.ts';
import { foreignQueues, leftoverMessages } from './leftovers.ts';
import { engineMappings, isReadByEngine, liveSchedules } from './live-engine.ts';
import { liveFunction, liveMapping, liveQueue } from './live-facts.ts';

/** A service as it is on AWS. */
export interface LiveService {
  readonly facts: Facts;
  /** What no rule can find: queues and mappings that are missing, messages that nobody receives. */
  readonly findings: readonly Finding[];
  /** Why the facts hold no mappings and functions: there was no Lambda, or it refused. */
  readonly lambdaProblem: string | LambdaRequestError | undefined;
  /** Why the schedules of an engine that is a function are not known. */
  readonly scheduleProblem: string | undefined;
  /** Why queues of removed steps and other prefixes were not looked for. */
  readonly listProblem: SqsRequestError | undefined;
}

/** Reads queues, mappings and functions of a service. Without Lambda, the queues alone. */
export async function readLiveService(
  service: DurableService,
  sqs: AdminSqs,
  connection: LambdaConnection,
  events: EventsConnection = { none: 'EventBridge was not asked' },
): Promise<LiveService> {
  const names = queuePlan(service).map(({ name }) => name);
  const own = new Set(names);
  const looked = await Promise.all(names.map(async (name) => ({ name, found: await queueNamed(sqs, name) })));
  const queues = looked.flatMap(({ found }) => found ?? []);
  const missing = looked.filter(({ found }) => found === undefined).map(({ name }) => missingQueue(service, name));
  const foreign = await foreignQueues(sqs, own);
  const foreignArns = foreign.queues.flatMap(({ arn }) => arn ?? []);
  const { answer, problem } = await askLambda(connection, queues, foreignArns);
  const unmapped = answer === undefined ? [] : unmappedQueues(service, mappedKinds(queues), answer.mappings);
  const contended = contendedQueues(service, queues, answer?.mappings ?? []);
  const { mappings, functions } = answer ?? { mappings: [], functions: [] };
  const ofEngine = answer === undefined ? [] : engineMappings(service, queues, mappings);
  const ticks = await liveSchedules(events, queues, mappings);
  const leftovers = leftoverMessages(foreign.queues, service.prefix, own, answer?.mappedForeign);
  return {
    facts: { source: 'live', queues, functions, mappings, watchedQueues: undefined, schedules: ticks.schedules },
    findings: [...missing, ...unmapped, ...ofEngine, ...contended, ...leftovers],
    lambdaProblem: problem,
    scheduleProblem: ticks.problem,
    listProblem: foreign.problem,
  };
}

async function queueNamed(sqs: AdminSqs, name: string): Promise<QueueFacts | undefined> {
  const url = await sqs.findQueueUrl(name);
  return url === undefined ? undefined : liveQueue(name, await sqs.attributes(url));
}

interface LambdaAnswer {
  readonly mappings: readonly MappingFacts[];
  readonly functions: readonly FunctionFacts[];
  /** ARNs of the foreign queues that have a mapping. */
  readonly mappedForeign: ReadonlySet<string>;
}

async function askLambda(
  connection: LambdaConnection,
  queues: readonly QueueFacts[],
  foreignArns: readonly string[],
): Promise<{ answer?: LambdaAnswer; problem?: string | LambdaRequestError }> {
  if ('none' in connection) return { problem: connection.none };
  const { lambda } = connection;
  try {
    const asked = [...mappedKinds(queues), ...queues.filter(isReadByEngine)];
    const found = await Promise.all(asked.map(({ id }) => lambda.mappingsOfQueue(id)));
    const mappings = found.flat().map(liveMapping);
    const functions = await functionsOf(mappings, lambda);
    const mapped = await Promise.all(foreignArns.map(async (arn) => ((await lambda.mappingsOfQueue(arn)).length > 0 ? [arn] : [])));
    return { answer: { mappings, functions, mappedForeign: new Set(mapped.flat()) } };
  } catch (error) {
    if (error instanceof LambdaRequestError) return { problem: error };
    throw error;
  }
}

/** The queues that should have a mapping, a dead-letter queue only where the service has a function for it. */
function mappedKinds(queues: readonly QueueFacts[]): readonly QueueFacts[] {
  return queues.filter(({ name = '' }) => ['tasks', 'dead-letters'].includes(kindOfQueueName(name) ?? ''));
}

async function functionsOf(mappings: readonly MappingFacts[], lambda: AdminLambda): Promise<FunctionFacts[]> {
  const arns = new Set(mappings.flatMap(({ functionId }) => functionId ?? []));
  const found = await Promise.all(
    [...arns].map(async (arn) => {
      const live = await lambda.functionFacts(arn);
      return live === undefined ? [] : [liveFunction(arn, live)];
    }),
  );
  return found.flat();
}

function missingQueue(service: DurableService, name: string): Finding {
  const where = `live: ${name}`;
  // The results queue of another service may be in another account or region.
  if (!service.resultsQueue.owned && name === service.resultsQueue.name) {
    const why = 'another service owns this results queue, and it is not in this account and region: nothing here shows whether it exists';
    return { id: 'queue-missing', severity: 'warning', where, why, fix: 'if it should be here, deploy the service that owns it' };
  }
  const why = 'the service has this queue, and it does not exist in this account and region';
  return { id: 'queue-missing', severity: 'error', where, why, fix: 'deploy the service, or look in another --stage or --region' };
}

/** Tasks queues of container steps that a function receives from as well. */
function contendedQueues(service: DurableService, queues: readonly QueueFacts[], mappings: readonly MappingFacts[]): Finding[] {
  return queues
    .filter(({ id, name = '' }) => isOfContainer(service, name) && mappings.some(({ queueId }) => queueId === id))
    .map(({ name = '' }) => {
      const why =
        'a function is mapped to this queue, and by serverless.yml a worker in a container serves it: each receives a part of the tasks';
      const fix = 'remove the mapping, or the step from custom.durable.containerSteps';
      return { id: 'mapping-beside-container', severity: 'warning', where: `live: ${name}`, why, fix };
    });
}

function isOfContainer({ containerSteps }: DurableService, queueName: string): boolean {
  return containerSteps.some(({ queues }) => queues.tasks === queueName);
}

function unmappedQueues(service: DurableService, queues: readonly QueueFacts[], mappings: readonly MappingFacts[]): Finding[] {
  return queues.flatMap(({ id, name = '' }): Finding[] => {
    if (isOfContainer(service, name)) return [];
    const tasks = kindOfQueueName(name) === 'tasks';
    if ((!tasks && service.deadLetters === undefined) || mappings.some(({ queueId }) => queueId === id)) return [];
    const why = tasks
      ? 'no function is mapped to this tasks queue: its tasks wait until they expire'
      : 'no function is mapped to this dead-letter queue: the engine is never told of its dead letters, and their runs wait for ever';
    return [{ id: 'mapping-missing', severity: 'error', where: `live: ${name}`, why, fix: 'deploy the service' }];
  });
}
