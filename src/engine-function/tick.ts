import type { Context, ScheduledEvent } from 'aws-lambda';
import { Deadline } from '../lambda/deadline.ts';
import { tellChildEnds } from '../transport/engine/child-ends.ts';
import { runPasses } from '../transport/engine/engine-passes.ts';
import { isRecord } from '../wire/shape.ts';
import { type AbandoningHost, abandon } from './abandon.ts';
import { OpenWork } from './open-work.ts';

const SCHEDULES: ReadonlySet<unknown> = new Set(['aws.events', 'aws.scheduler']);

/** Whether an event comes from a schedule of EventBridge, and not from a queue. */
export function isTick(event: unknown): event is ScheduledEvent {
  return isRecord(event) && SCHEDULES.has(event['source']);
}

/**
 * One pass over all that nothing else wakes: pending, incomplete, due and timed-out runs, and parents that were not
 * told of their child's end. It stops at its deadline, and the next one goes on. Rejects as the store does.
 */
export async function tick(lambda: Context, reserveOf: (availableMs: number) => number, host: AbandoningHost): Promise<void> {
  const { environment, logger } = host;
  const { engine, store, onTick } = environment;
  const remainingMs = () => lambda.getRemainingTimeInMillis();
  const deadline = new Deadline(remainingMs, reserveOf(remainingMs()));
  const work = new OpenWork();
  const passes = async () => {
    await runPasses(engine);
    await tellChildEnds(engine, store);
    await onTick();
  };
  try {
    const isFinished = await Promise.race([
      work.run(passes).then(() => work.idle().then(() => true)),
      new Promise<false>((resolve) => deadline.onReached(() => resolve(false))),
    ]);
    if (isFinished) return;
    logger.warn('out of time: a tick is not finished, and the next one goes on', {
      requestId: lambda.awsRequestId,
      runIds: [...work.runIds].slice(0, 20).join(' '),
    });
    await abandon(work, deadline, host);
  } finally {
    deadline.end();
  }
}
