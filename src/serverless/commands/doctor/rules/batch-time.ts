import { durableMappings, type Finding, type Rule } from '../facts.ts';

export interface BatchTimeOptions {
  /** How long one step takes; undefined: not known. */
  readonly stepSeconds: number | undefined;
  /** Steps that the handler runs at the same time. */
  readonly handlerConcurrency: number;
}

/** With no figure given, a step that must end in less is named as a risk. */
const SHORT_STEP_SECONDS = 1;

/** A handler can finish its largest batch within its timeout. */
export function batchTimeRule({ stepSeconds, handlerConcurrency }: BatchTimeOptions): Rule {
  return (facts) =>
    durableMappings(facts).flatMap(({ mapping, queue, fn, kind }): Finding[] => {
      if (fn === undefined || kind !== 'tasks') return [];
      const turns = Math.ceil(mapping.batchSize / handlerConcurrency);
      const room = Number((fn.timeoutSeconds / turns).toFixed(2));
      const where = `${facts.source}: mapping ${mapping.id} of ${queue?.name ?? mapping.queueId}`;
      const batch = `a batch of ${mapping.batchSize} at ${handlerConcurrency} at a time is ${turns} after each other`;
      const fix = `lower batchSize, raise the timeout of ${fn.name}, or raise the handler's concurrency`;
      if (stepSeconds === undefined) {
        if (room >= SHORT_STEP_SECONDS) return [];
        const why = `${batch}: that leaves each step ${room} s of the ${fn.timeoutSeconds} s timeout of ${fn.name} (--step-seconds N checks it with your figure)`;
        return [{ id: 'batch-too-long', severity: 'warning', where, why, fix }];
      }
      if (turns * stepSeconds <= fn.timeoutSeconds) return [];
      const why = `${batch}, ${turns * stepSeconds} s with steps of ${stepSeconds} s: more than the ${fn.timeoutSeconds} s timeout of ${fn.name}, so the rest of the batch runs again`;
      return [{ id: 'batch-too-long', severity: 'error', where, why, fix }];
    });
}
