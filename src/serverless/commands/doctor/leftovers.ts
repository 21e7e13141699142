import { type Finding, kindOfName } from './facts.ts';

/** A queue that exists on AWS. */
export interface ListedQueue {
  readonly name: string;
  readonly messages: number;
  /** Whether a mapping reads it; undefined where that could not be asked. */
  readonly mapped: boolean | undefined;
}

/** Queues of this prefix, or of another prefix for the same step, that hold messages which no step of the service takes. */
export function leftovers(listed: readonly ListedQueue[], prefix: string, own: ReadonlySet<string>): Finding[] {
  const tasks = [...own].filter((name) => kindOfName(name) === 'tasks').map((name) => name.slice(prefix.length));
  return listed.flatMap(({ name, messages, mapped }): Finding[] => {
    if (messages === 0 || own.has(name) || mapped === true) return [];
    const kind = kindOfName(name);
    const where = `live: ${name}`;
    const held = `it holds ${messages} message${messages === 1 ? '' : 's'}`;
    const other = tasks.find((ending) => name.endsWith(ending) && name.slice(0, -ending.length) !== prefix);
    if (kind === 'tasks' && other !== undefined) {
      const why = `${held} for a step of this service, under another prefix than "${prefix}": is an engine set to it?`;
      return [
        {
          id: 'tasks-of-another-prefix',
          severity: 'warning',
          where,
          why,
          fix: 'give the engine this prefix (--engine-prefix checks it), or purge the queue',
        },
      ];
    }
    if (!name.startsWith(`${prefix}-`) || (kind !== 'tasks' && kind !== 'dead-letters' && kind !== 'parked')) return [];
    const why = `${held}, and no step of this service has it${mapped === undefined ? " (mappings could not be asked: it may be another service's)" : ' and no mapping reads it'}: a removed step, or one that a container works on`;
    return [
      {
        id: 'removed-step-not-empty',
        severity: 'warning',
        where,
        why,
        fix: 'deploy the step until the queue is empty, or delete the queue when its messages may go',
      },
    ];
  });
}
