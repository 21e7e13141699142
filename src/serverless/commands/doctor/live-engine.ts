import { kindOfQueueName, type QueueKind } from '../../../topology/queue-kinds.ts';
import type { DurableService } from '../../durable-service.ts';
import { type AdminEvents, EventsRequestError } from '../aws/admin-events.ts';
import type { EventsConnection } from '../aws/connect.ts';
import type { Facts, MappingFacts, QueueFacts } from './facts.ts';
import type { Finding } from './finding.ts';

/** Queues that an engine reads, and what waits where no function of an engine does. */
const READ_BY_ENGINE: Readonly<Partial<Record<QueueKind, string>>> = {
  results: 'every run stands still',
  'start-run': 'no run begins',
  'wake-ups': 'sleeps and retries end by the minute of the tick only',
};

export function isReadByEngine({ name = '' }: Pick<QueueFacts, 'name'>): boolean {
  return Object.hasOwn(READ_BY_ENGINE, kindOfQueueName(name) ?? '');
}

/** What serverless.yml says of the engine, against the mappings of its queues. */
export function engineMappings(service: DurableService, queues: readonly QueueFacts[], mappings: readonly MappingFacts[]): Finding[] {
  return queues.flatMap(({ id, name = '' }): Finding[] => {
    const harm = READ_BY_ENGINE[kindOfQueueName(name) ?? 'parked'];
    if (harm === undefined) return [];
    const where = `live: ${name}`;
    const isMapped = mappings.some(({ queueId }) => queueId === id);
    if (service.engine !== undefined) {
      if (isMapped) return [];
      const why = `the engine is not mapped to it: ${harm}`;
      return [{ id: 'engine-mapping-missing', severity: 'error', where, why, fix: 'deploy the service' }];
    }
    if (!isMapped || kindOfQueueName(name) !== 'results') return [];
    if (service.resultsQueue.owned) {
      const why =
        'a function is mapped to this queue, and by serverless.yml the engine is a process: each gets a part of the results, and what a step with timeoutMs answers may reach the wrong one';
      return [
        {
          id: 'two-kinds-of-engine',
          severity: 'warning',
          where,
          why,
          fix: 'remove the mapping, or stop the process and add durableEngine',
        },
      ];
    }
    if (service.resultsQueue.engineFunction) return [];
    const why = 'a function is the engine that reads this queue, and the functions here do not know: Lambda stops a run after 16 functions';
    return [{ id: 'engine-function-unsaid', severity: 'warning', where, why, fix: 'set custom.durable.resultsQueue.engineFunction: true' }];
  });
}

/**
 * The schedules that invoke the functions which are engines; undefined, with the reason, where they could not be asked
 * for.
 */
export async function liveSchedules(
  connection: EventsConnection,
  queues: readonly QueueFacts[],
  mappings: readonly MappingFacts[],
): Promise<{ readonly schedules?: NonNullable<Facts['schedules']>; readonly problem?: string }> {
  const results = queues.filter(({ name = '' }) => kindOfQueueName(name) === 'results').map(({ id }) => id);
  const engines = new Set(mappings.filter(({ queueId }) => results.includes(queueId)).flatMap(({ functionId }) => functionId ?? []));
  if (engines.size === 0) return {};
  if ('none' in connection) return { problem: connection.none };
  try {
    return { schedules: (await Promise.all([...engines].map((arn) => schedulesOf(connection.events, arn)))).flat() };
  } catch (error) {
    if (error instanceof EventsRequestError) return { problem: error.message };
    throw error;
  }
}

async function schedulesOf(events: AdminEvents, functionId: string) {
  return (await events.schedulesOf(functionId)).map(({ enabled }) => ({ functionId, enabled }));
}
