import type { Context, SQSRecord } from 'aws-lambda';
import { SqsRequestError } from '../errors.ts';
import { nextTurn } from '../time.ts';
import type { Batch } from './batch.ts';
import type { Deadline } from './deadline.ts';
import { giveBack } from './give-back.ts';
import { linesOf } from './lines.ts';
import type { ResultChannel } from './result-channel.ts';
import { type RecordRunner, runRecord } from './run-record.ts';
import { SendGate } from './send-gate.ts';
import type { StepInWork } from './step-in-work.ts';

/** One call of the Lambda function. */
export interface Invocation {
  readonly lambda: Context;
  readonly batch: Batch;
  readonly deadline: Deadline;
  readonly channel: ResultChannel;
}

/** What the records of one invocation share. */
export interface Run extends Invocation {
  readonly gate: SendGate;
  readonly inWork: Set<StepInWork>;
  /** Milliseconds until the process is killed: one function for all steps. */
  remainingTimeMs(): number;
}

/**
 * Runs the records of one invocation: decode, run, send the result, settle. The result of a record is always sent before the
 * record is settled, and no record's trouble touches another's, but for those behind it in its FIFO message group.
 */
export async function runRecords(records: readonly SQSRecord[], invocation: Invocation, runner: RecordRunner): Promise<void> {
  const { batch, deadline, channel, lambda } = invocation;
  const { logger } = runner;
  const gate = new SendGate();
  const inWork = new Set<StepInWork>();
  const run: Run = { ...invocation, gate, inWork, remainingTimeMs: () => deadline.remainingMs() };
  const lines = linesOf(records);
  let next = 0;
  const notStarted: SQSRecord[] = [];
  const returning: Promise<void>[] = [];

  const returnRecords = async (given: readonly SQSRecord[]): Promise<void> => {
    const fields = { requestId: lambda.awsRequestId };
    if (given.length > 0) logger.warn('records not started: too little time is left', { ...fields, records: given.length });
    // Where nothing was, it is not these records' lot but the invocation's (a slow middleware, a slow store), and the next one's too: at
    // once and again, their receives would be used up in no time.
    if (batch.started > 0) await giveBack(given, channel, logger, fields, () => deadline.closed);
  };
  const returnNotStarted = (): void => {
    if (notStarted.length > 0) returning.push(returnRecords(notStarted.splice(0)));
  };
  const lane = async () => {
    while (next < lines.length && (gate.isOpen || (await gate.open()))) {
      const line = lines[next] ?? [];
      next += 1;
      for (let index = 0; index < line.length; index += 1) {
        const record = line[index];
        if (record === undefined || (index > 0 && !gate.isOpen && !(await gate.open()))) return;
        const outcome = await runRecord(record, run, runner);
        if (outcome === 'not started') {
          // Lanes come upon them one by one: those of one turn go back together, and wait for no step that goes on.
          if (notStarted.length === 0) void nextTurn().then(returnNotStarted);
          notStarted.push(...line.slice(index));
        }
        // What stands behind it in its message group must not overtake it.
        if (outcome !== 'settled') break;
      }
    }
  };
  const stopWatching = deadline.onSeal(() => {
    const rest = lines.slice(next).flat();
    next = lines.length;
    // While started steps are sealed and sent, what no lane has taken is already on its way back.
    returning.push(returnRecords(rest));
    for (const work of inWork) work.end();
  });
  deadline.onClose(() => {
    for (const { unsent } of inWork) {
      if (unsent === undefined) continue;
      runner.repeats.keep(unsent);
      batch.sendFailed(new SqsRequestError('SendMessageBatch', 'TimeoutError', true));
    }
  });

  const lanes: Promise<void>[] = [];
  while (lanes.length < Math.min(runner.concurrency, lines.length)) lanes.push(lane());
  await Promise.all(lanes);
  stopWatching();
  if (next < lines.length) {
    const held = lines.slice(next).flat().length;
    logger.warn('records not started: results are not being accepted', { records: held, requestId: lambda.awsRequestId });
  }
  returnNotStarted();
  if (returning.length > 0) await Promise.all(returning);
}
