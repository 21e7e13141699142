import { type Finding, mappingLabel, type Rule } from '../finding.ts';
import { durableMappings } from '../queue-kind.ts';

export interface BatchTimeOptions {
  /** How long one step takes; undefined: not known. */
  readonly stepSeconds: number | undefined;
  /** Steps that the handler runs at the same time. */
  readonly handlerConcurrency: number;
}

/** Without a figure, a batch that leaves each step less time than this is a risk. */
const SHORT_STEP_SECONDS = 1;

/** A handler can finish its largest batch within its timeout. */
export function batchTimeRule({ stepSeconds, handlerConcurrency }: BatchTimeOptions): Rule {
  return (facts) =>
    durableMappings(facts).flatMap(({ mapping, queue, fn, kind }): Finding[] => {
      if (fn === undefined || kind !== 'tasks') return [];
      const rounds = Math.ceil(mapping.batchSize / handlerConcurrency);
      const secondsPerStep = Number((fn.timeoutSeconds / rounds).toFixed(2));
      const where = mappingLabel(facts, { mapping, queue });
      const batch = `a batch of ${mapping.batchSize}, ${handlerConcurrency} at a time, takes ${rounds} rounds`;
      const fix = `lower batchSize, raise the timeout of ${fn.name}, or raise the handler's concurrency`;
      if (stepSeconds === undefined) {
        if (secondsPerStep >= SHORT_STEP_SECONDS) return [];
        const why = `${batch}: that leaves each step ${secondsPerStep} s of the ${fn.timeoutSeconds} s timeout of ${fn.name} (--step-seconds N checks it with your figure)`;
        return [{ id: 'batch-too-long', severity: 'warning', where, why, fix }];
      }
      const batchSeconds = rounds * stepSeconds;
      if (batchSeconds <= fn.timeoutSeconds) return [];
      const why = `${batch}, ${batchSeconds} s with steps of ${stepSeconds} s: more than the ${fn.timeoutSeconds} s timeout of ${fn.name}, so the rest of the batch runs again`;
      return [{ id: 'batch-too-long', severity: 'error', where, why, fix }];
    });
}
