import { type PlannedQueue, type QueueChain, serviceQueues, stepQueues } from '../topology/planned-queues.ts';
import { allSteps, type DurableService, type ServiceStep } from './durable-service.ts';

/** All queues of a service, in the order of their creation: each after the one it redrives to. */
export function queuePlan(service: DurableService): readonly PlannedQueue[] {
  const chains = [resultsChain(service), ...allSteps(service).map((step) => stepChain(step, service))];
  return chains.flatMap(({ targets, queue }) => [...targets, queue]);
}

/** Those that the service makes itself: a results queue that it shares is made by its owner. */
export function ownQueuePlan(service: DurableService): readonly PlannedQueue[] {
  return queuePlan(service).filter(({ kind }) => kind !== 'results' || service.resultsQueue.owned);
}

function resultsChain({ resultsQueue: { name, fifo, owned }, prefix }: DurableService): QueueChain {
  const chain = serviceQueues('results', { prefix, fifo });
  // What stands behind a shared results queue is its owner's, and its name is not known here.
  return owned ? chain : { queue: { ...chain.queue, name, redrive: undefined }, targets: [] };
}

function stepChain({ token, ...step }: ServiceStep, { prefix, deadLetters }: DurableService): QueueChain {
  return stepQueues(token, { ...step, prefix, deadLetterTimeoutSeconds: deadLetters?.timeoutSeconds });
}
