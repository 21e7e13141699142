import { InFlightTask, type TaskHost } from '../../src/step/in-flight-task.ts';
import { STEP_FORMAT, type StepInFlight } from '../../src/step/step-tasks.ts';
import type { RemoteTask } from '../../src/wire/remote-task.ts';
import type { StepResult } from '../../src/wire/step-result.ts';
import { capturingLogger } from './capturing-logger.ts';

/** A message in flight at a host that only logs. */
export function inFlightTask(stoppable = false) {
  const logger = capturingLogger();
  const host: TaskHost<RemoteTask, StepResult> = {
    format: STEP_FORMAT,
    marker: undefined,
    payloadStore: undefined,
    results: { url: unused, send: unused },
    logger,
    fields: {},
    begins: () => true,
    run: unused,
    redelivers: () => false,
    sendRetries: () => {
      throw new Error('not used');
    },
  };
  const inFlight: StepInFlight = new InFlightTask(
    { messageId: 'm', queue: 'arn:aws:sqs:us-east-1:123456789012:durable-tasks-step', body: '', receiveCount: 3, marked: true },
    host,
    stoppable,
  );
  return { inFlight, logger };
}

function unused(): Promise<never> {
  return Promise.reject(new Error('not used'));
}
