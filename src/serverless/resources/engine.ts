import { engineQueues } from '../config/read-engine.ts';
import type { DurableDeployment } from '../deployment.ts';
import { allSteps, type DurableService } from '../durable-service.ts';
import { allow, arnOf, type Statement, type Value } from './cloudformation.ts';
import { START_RUN_QUEUE, stepLogicalId, WAKE_UPS_QUEUE } from './logical-ids.ts';
import { payloadStatements, READ_AND_WRITE } from './payload-bucket.ts';

/** Logical ids of the queues that invoke the function which is the engine. None where the engine is a process. */
export function engineQueueIds(service: DurableService): readonly string[] {
  return service.engine === undefined ? [] : engineQueues(service).map(({ logicalId }) => logicalId);
}

/**
 * The schedule of the engine's tick, as the deploy tool makes it: a rule of EventBridge, and the right to invoke the
 * function. Nothing where the engine is a process.
 */
export function tickEvents({ engine }: Pick<DurableService, 'engine'>): readonly { readonly schedule: Value }[] {
  if (engine === undefined) return [];
  const { tickMinutes, enabled } = engine;
  const rate = tickMinutes === 1 ? 'rate(1 minute)' : `rate(${tickMinutes} minutes)`;
  return [{ schedule: { rate: [rate], enabled } }];
}

/**
 * How Lambda treats a tick that fails: it drops it. The next one does the same, and of an hour without the engine sixty
 * would be left to run at once.
 */
export const TICK_INVOCATION = { maximumRetryAttempts: 0, maximumEventAge: 60 } as const;

/**
 * What the engine's function does with its queues, beside what Lambda's pollers need for it: it sends tasks, turns,
 * starts and wake-ups.
 */
export function engineFunctionStatements(deployment: DurableDeployment): readonly Statement[] {
  const queues = engineQueueIds(deployment).map(arnOf);
  const tasks = allSteps(deployment).map(({ token }) => arnOf(stepLogicalId(token, 'TasksQueue')));
  const starts = deployment.startRuns === undefined ? [] : [arnOf(START_RUN_QUEUE)];
  return [
    ...allow(['sqs:ChangeMessageVisibility'], queues),
    ...allow(['sqs:SendMessage', 'sqs:GetQueueUrl'], [...tasks, ...starts, arnOf(WAKE_UPS_QUEUE)]),
    ...payloadStatements(deployment, READ_AND_WRITE),
  ];
}

/**
 * Whether the service's functions and its engine's invoke each other in a circle, by their queues. Lambda stops such a
 * chain after 16 functions unless each of them allows it.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
 */
export function isLoop({ engine, resultsQueue }: Pick<DurableService, 'engine' | 'resultsQueue'>): boolean {
  return engine !== undefined || (!resultsQueue.owned && resultsQueue.engineFunction);
}
