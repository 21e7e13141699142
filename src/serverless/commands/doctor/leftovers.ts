import { SqsRequestError } from '../../../errors.ts';
import { kindOfQueueName } from '../../../topology/queue-kinds.ts';
import type { AdminSqs } from '../aws/admin-sqs.ts';
import { messagesIn, queueDepth } from '../aws/queue-depth.ts';
import type { Finding } from './finding.ts';

/** A queue of the account that is not the service's, but named like one. */
export interface ForeignQueue {
  readonly name: string;
  readonly arn: string | undefined;
  readonly messages: number;
}

/**
 * The foreign queues that hold messages. What these credentials may not see is passed over, or the reason why nothing
 * was seen.
 */
export async function foreignQueues(
  sqs: AdminSqs,
  own: ReadonlySet<string>,
): Promise<{ readonly queues: readonly ForeignQueue[]; readonly problem: SqsRequestError | undefined }> {
  const listed = await sqs.listQueues('').catch(refusal);
  if (listed instanceof SqsRequestError) return { queues: [], problem: listed };
  const queues = await Promise.all(
    listed
      .map((url) => ({ url, name: url.split('/').at(-1) ?? url }))
      .filter(({ name }) => kindOfQueueName(name) !== undefined && !own.has(name))
      .map(async ({ url, name }): Promise<ForeignQueue[]> => {
        const attributes = await sqs.attributes(url).catch(refusal);
        // It was deleted since, or its policy keeps these credentials out.
        if (attributes instanceof SqsRequestError) return [];
        const messages = messagesIn(queueDepth(attributes));
        return messages === 0 ? [] : [{ name, arn: attributes['QueueArn'], messages }];
      }),
  );
  return { queues: queues.flat(), problem: undefined };
}

/**
 * Foreign queues whose messages nobody of the service receives: those of a removed step, tasks under another prefix,
 * and the results queue that it had before.
 * @param mapped ARNs of the queues that have a mapping; undefined: not known
 */
export function leftoverMessages(
  queues: readonly ForeignQueue[],
  prefix: string,
  own: ReadonlySet<string>,
  mapped: ReadonlySet<string> | undefined,
): Finding[] {
  const tasksOfService = [...own].filter((name) => kindOfQueueName(name) === 'tasks').map((name) => name.slice(prefix.length));
  return queues.flatMap(({ name, arn, messages }): Finding[] => {
    const isMapped = arn === undefined ? undefined : mapped?.has(arn);
    if (isMapped === true) return [];
    const kind = kindOfQueueName(name);
    const where = `live: ${name}`;
    const held = `it holds ${messages} message${messages === 1 ? '' : 's'}`;
    if (kind === 'tasks' && tasksOfService.some((ending) => name.endsWith(ending) && name.slice(0, -ending.length) !== prefix)) {
      const why = `${held} for a step of this service, under another prefix than "${prefix}": is an engine set to it?`;
      const fix = 'give the engine this prefix (--engine-prefix checks it), or purge the queue';
      return [{ id: 'tasks-of-another-prefix', severity: 'warning', where, why, fix }];
    }
    if (kind === 'results' && name.replace(/\.fifo$/, '') === `${prefix}-results`) {
      const why = `${held}: results that the engine does not receive, because the results queue of the service is another one now`;
      const fix = 'set resultsQueue as it was until the queue is empty, or delete the queue';
      return [{ id: 'former-results-queue', severity: 'warning', where, why, fix }];
    }
    if (!name.startsWith(`${prefix}-`) || (kind !== 'tasks' && kind !== 'dead-letters' && kind !== 'parked')) return [];
    const reader = isMapped === undefined ? " (mappings could not be read: it may be another service's)" : ' and no mapping reads it';
    const why = `${held}, and no step of this service has it${reader}: a removed step, or one that a container serves`;
    const fix = 'deploy the step until the queue is empty (a step of a container: name it in containerSteps), or delete the queue';
    return [{ id: 'removed-step-not-empty', severity: 'warning', where, why, fix }];
  });
}

function refusal(error: unknown): SqsRequestError {
  if (error instanceof SqsRequestError && !error.transient) return error;
  throw error;
}
