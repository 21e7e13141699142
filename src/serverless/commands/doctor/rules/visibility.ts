import { advisedVisibilitySeconds, leastVisibilitySeconds } from '../../../../topology/visibility.ts';
import { type Finding, queueLabel, type Rule } from '../finding.ts';

/** A queue with a mapping hides a message for as long as its function, and Lambda's own retries of it, may take. */
export const visibilityRule: Rule = (facts) =>
  facts.mappings.flatMap((mapping): Finding[] => {
    const queue = facts.queues.find(({ id }) => id === mapping.queueId);
    const fn = facts.functions.find(({ id }) => id === mapping.functionId);
    if (queue === undefined || fn === undefined) return [];
    const { batchWindowSeconds } = mapping;
    const advised = advisedVisibilitySeconds(fn.timeoutSeconds, batchWindowSeconds);
    const found = queue.visibilityTimeoutSeconds;
    const where = queueLabel(facts, queue);
    const fix = `set the visibility timeout to ${advised} s`;
    if (found < leastVisibilitySeconds(fn.timeoutSeconds, batchWindowSeconds)) {
      const window = batchWindowSeconds === 0 ? '' : ` and the batch window of ${batchWindowSeconds} s`;
      const why = `its visibility timeout of ${found} s is below the ${fn.timeoutSeconds} s timeout of ${fn.name}${window}: AWS refuses the mapping, or messages are redelivered while they are being processed`;
      return [{ id: 'visibility-below-timeout', severity: 'error', where, why, fix }];
    }
    if (found >= advised) return [];
    const why = `its visibility timeout of ${found} s is below ${advised} s, six times the ${fn.timeoutSeconds} s timeout of ${fn.name} and the batch window: a throttled batch is redelivered while Lambda still retries it`;
    return [{ id: 'visibility-below-advice', severity: 'warning', where, why, fix }];
  });
