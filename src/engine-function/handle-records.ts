import type { SQSRecord } from 'aws-lambda';
import { StoreUnavailableError } from '../errors.ts';
import type { Invocation } from '../lambda/batch-handler.ts';
import { byMessageGroup, type RecordGroup } from '../lambda/records.ts';
import type { ResultSender } from '../sqs/sqs-api.ts';
import { systemTiming } from '../time.ts';
import { queueOfArn } from '../topology/queue-address.ts';
import { kindOfQueueName } from '../topology/queue-kinds.ts';
import { ENGINE_LEASE_MS } from '../transport/engine/engine-lease.ts';
import type { MessageStarts } from '../transport/starts/message-starts.ts';
import { settleStart } from '../transport/starts/settle-start.ts';
import { type AbandoningHost, abandon } from './abandon.ts';
import { HeldRecords, receivedMessage } from './held-records.ts';
import { OpenWork } from './open-work.ts';
import { wakeRun } from './wake-run.ts';

/** What was abandoned in a turn still holds its run, which would only be waited for. */
const LEASE_SECONDS = ENGINE_LEASE_MS / 1_000;
const MOST_DELAY_SECONDS = 900;

/** What the records of an invocation are handled with. */
export interface RecordsHost extends AbandoningHost {
  readonly api: Pick<ResultSender, 'changeVisibility'>;
}

interface InvocationHost extends RecordsHost {
  readonly starts: MessageStarts;
}

/**
 * Handles the records of one invocation side by side, those of one FIFO message group in order. A record is settled
 * when nothing that it has begun is open any more.
 * @throws StoreUnavailableError where none was settled and the store does not answer: Lambda's pollers slow down for a
 * failed invocation only
 */
export async function handleRecords(records: readonly SQSRecord[], invocation: Invocation, recordsHost: RecordsHost): Promise<void> {
  const host: InvocationHost = { ...recordsHost, starts: recordsHost.environment.newStarts() };
  const { intake, attached } = host.environment;
  const { batch } = invocation;
  const rejectionsBefore = intake.rejections;
  const queues = new Map<string, HeldRecords>();
  const heldOf = (arn: string) => {
    const held = queues.get(arn) ?? new HeldRecords(arn);
    queues.set(arn, held);
    return held;
  };
  const groups = byMessageGroup(records).map((group) => handleGroup(group, heldOf(group[0]?.eventSourceARN ?? ''), invocation, host));
  await Promise.all(groups);
  await Promise.all([...queues.values()].map((held) => held.tell(host.api, host.logger)));
  if (batch.settled > 0 || intake.rejections === rejectionsBefore) return;
  if (!(await attached.storeAnswers(intake))) throw new StoreUnavailableError(batch.size);
}

async function handleGroup(
  group: RecordGroup,
  held: HeldRecords,
  { batch, deadline, lambda }: Invocation,
  host: InvocationHost,
): Promise<void> {
  const { logger } = host;
  const work = new OpenWork();
  const take = () => takeGroup(group, held, host);
  const isFinished = await Promise.race([
    work.run(take).then(() => work.idle().then(() => true)),
    new Promise<false>((resolve) => deadline.onReached(() => resolve(false))),
  ]);
  if (isFinished) {
    for (const record of group) if (held.isDeleted(record.receiptHandle)) batch.settle(record);
    return;
  }
  logger.warn('out of time: what a record has begun is not finished, and it goes back', {
    requestId: lambda.awsRequestId,
    runIds: [...work.runIds].join(' '),
    records: group.length,
  });
  await abandon(work, deadline, host);
  for (const record of group.map(receivedMessage)) {
    const delaySeconds = Math.min(LEASE_SECONDS * 2 ** Math.min(record.receiveCount - 1, 10), MOST_DELAY_SECONDS);
    await held.release(record.receiptHandle, delaySeconds);
  }
}

async function takeGroup(group: RecordGroup, held: HeldRecords, { environment, starts, logger }: InvocationHost): Promise<void> {
  const messages = group.map(receivedMessage);
  switch (kindOfQueueName(queueOfArn(group[0]?.eventSourceARN)?.name ?? '')) {
    case 'wake-ups':
      for (const message of messages) await wakeRun(message, held, environment, logger);
      return;
    case 'start-run':
      for (const message of messages) {
        const outcome = await starts.take(message);
        if (outcome === 'refused') environment.intake.rejections += 1;
        await settleStart(outcome, message, held, systemTiming.random);
      }
      return;
    default:
      return environment.intake.take(messages, held);
  }
}
