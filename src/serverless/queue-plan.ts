import { type PlannedQueue, type QueueChain, serviceQueues, stepQueues } from '../topology/planned-queues.ts';
import { allSteps, type DurableService, type ServiceStep } from './durable-service.ts';

/** All queues of a service, in the order of their creation: each after the one it redrives to. */
export function queuePlan(service: DurableService): readonly PlannedQueue[] {
  const chains = [resultsChain(service), ...startRunChain(service), ...allSteps(service).map((step) => stepChain(step, service))];
  return chains.flatMap(({ targets, queue }) => [...targets, queue]);
}

/** Those that the service makes itself: a results queue or start queue that it shares is made by its owner. */
export function ownQueuePlan(service: DurableService): readonly PlannedQueue[] {
  const shared = [...(service.resultsQueue.owned ? [] : ['results']), ...(service.startRuns?.owned === false ? ['start-run'] : [])];
  return queuePlan(service).filter(({ kind }) => !shared.includes(kind));
}

function resultsChain({ resultsQueue: { name, fifo, owned }, prefix }: DurableService): QueueChain {
  return ownChain(serviceQueues('results', { prefix, fifo }), { name, owned });
}

function startRunChain({ startRuns, prefix }: DurableService): readonly QueueChain[] {
  return startRuns === undefined ? [] : [ownChain(serviceQueues('start-run', { prefix, fifo: false }), startRuns)];
}

/** What stands behind a shared queue is its owner's, and its name is not known here. */
function ownChain(chain: QueueChain, { name, owned }: { readonly name: string; readonly owned: boolean }): QueueChain {
  return owned ? chain : { queue: { ...chain.queue, name, redrive: undefined }, targets: [] };
}

function stepChain({ token, ...step }: ServiceStep, { prefix, deadLetters }: DurableService): QueueChain {
  return stepQueues(token, { ...step, prefix, deadLetterTimeoutSeconds: deadLetters?.timeoutSeconds });
}
