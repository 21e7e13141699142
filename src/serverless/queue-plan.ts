import { type PlannedQueue, type QueueChain, type ServiceQueueOptions, serviceQueues, stepQueues } from '../topology/planned-queues.ts';
import { allSteps, type DurableService, type ServiceStep } from './durable-service.ts';

/** All queues of a service, in the order of their creation: each after the one it redrives to. */
export function queuePlan(service: DurableService): readonly PlannedQueue[] {
  const chains = [
    resultsChain(service),
    ...startRunChain(service),
    ...wakeUpsChain(service),
    ...allSteps(service).map((step) => stepChain(step, service)),
  ];
  return chains.flatMap(({ targets, queue }) => [...targets, queue]);
}

/** Those that the service makes itself: a results queue or start queue that it shares is made by its owner. */
export function ownQueuePlan(service: DurableService): readonly PlannedQueue[] {
  const shared = [...(service.resultsQueue.owned ? [] : ['results']), ...(service.startRuns?.owned === false ? ['start-run'] : [])];
  return queuePlan(service).filter(({ kind }) => !shared.includes(kind));
}

function resultsChain(service: DurableService): QueueChain {
  const { name, fifo, owned } = service.resultsQueue;
  return ownChain(serviceQueues('results', serviceOptions(service, fifo)), { name, owned });
}

function startRunChain(service: DurableService): readonly QueueChain[] {
  const { startRuns } = service;
  return startRuns === undefined ? [] : [ownChain(serviceQueues('start-run', serviceOptions(service, false)), startRuns)];
}

function wakeUpsChain(service: DurableService): readonly QueueChain[] {
  return service.engine === undefined ? [] : [serviceQueues('wake-ups', serviceOptions(service, false))];
}

function serviceOptions({ prefix, engine }: DurableService, fifo: boolean): ServiceQueueOptions {
  return { prefix, fifo, engineTimeoutSeconds: engine?.function.timeoutSeconds };
}

/** What stands behind a shared queue is its owner's, and its name is not known here. */
function ownChain(chain: QueueChain, { name, owned }: { readonly name: string; readonly owned: boolean }): QueueChain {
  return owned ? chain : { queue: { ...chain.queue, name, redrive: undefined }, targets: [] };
}

function stepChain({ token, ...step }: ServiceStep, { prefix, deadLetters }: DurableService): QueueChain {
  return stepQueues(token, { ...step, prefix, deadLetterTimeoutSeconds: deadLetters?.timeoutSeconds });
}
