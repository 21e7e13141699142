import type { RunStatus } from '@dudousxd/nestjs-durable-core';
import { InvalidMessageError } from '../errors.ts';
import { errorFields, type Logger } from '../logger.ts';
import type { HeldMessages } from '../sqs/in-flight-messages.ts';
import { backoffMs } from '../sqs/retry.ts';
import type { ReceivedMessage } from '../sqs/sqs-api.ts';
import { systemTiming } from '../time.ts';
import { isNamespaceMismatch } from '../transport/engine/continue-run.ts';
import { decodeWakeUp, type WakeUp } from '../wire/wake-up.ts';
import type { EngineEnvironment } from './engine-environment.ts';

/** Of a run that may be waiting. A pending one has not begun, and one that is over waits for nothing. */
const WAITING: ReadonlySet<RunStatus> = new Set<RunStatus>(['suspended', 'running', 'cancelling']);
/** Clocks differ. A message that comes so early waits here, and one that comes earlier goes back. */
const EARLY_MS = 1_500;
const BACKOFF = { firstMs: 2_000, maxMs: 60_000 };

/** Begins the turn of a run whose wait is over. Never rejects. */
export async function wakeRun(message: ReceivedMessage, held: HeldMessages, environment: EngineEnvironment, logger: Logger): Promise<void> {
  const { messageId, receiptHandle, receiveCount } = message;
  const wakeUp = read(message, logger);
  const earlyMs = wakeUp === undefined ? 0 : wakeUp.wakeAt - Date.now();
  if (earlyMs > EARLY_MS) return held.release(receiptHandle, Math.ceil(earlyMs / 1000));
  try {
    if (wakeUp !== undefined) await wake(wakeUp, earlyMs, environment);
  } catch (error) {
    const delaySeconds = Math.ceil(backoffMs(receiveCount, BACKOFF, systemTiming.random) / 1000);
    environment.intake.rejections += 1;
    logger.error('a run could not be woken; its wake-up will be redelivered', {
      messageId,
      receiveCount,
      delaySeconds,
      ...errorFields(error),
    });
    return held.release(receiptHandle, delaySeconds);
  }
  await held.delete(receiptHandle);
}

async function wake({ runId }: WakeUp, earlyMs: number, { engine }: EngineEnvironment): Promise<void> {
  if (earlyMs > 0) await systemTiming.sleep(earlyMs);
  const run = await engine.getRun(runId);
  if (run === null || !WAITING.has(run.status)) return;
  try {
    await engine.resume(runId);
  } catch (error) {
    // Of another engine, on the same store. Its own tick wakes the run.
    if (!isNamespaceMismatch(error)) throw error;
  }
}

/** One that cannot be read is dropped: the tick wakes its run. */
function read({ messageId, body }: ReceivedMessage, logger: Logger): WakeUp | undefined {
  try {
    return decodeWakeUp(body);
  } catch (error) {
    if (!(error instanceof InvalidMessageError)) throw error;
    logger.error('message is not a WakeUp; it is dropped', { messageId, problem: error.problem });
    return undefined;
  }
}
