import type { Finding, Rule } from '../finding.ts';

export interface PrefixOptions {
  /** The prefix of the service. */
  readonly prefix: string;
  /** The prefix that the engine is set to; undefined: not known. */
  readonly enginePrefix: string | undefined;
}

/** Engine and functions use queues of the service's prefix. */
export function prefixRule({ prefix, enginePrefix }: PrefixOptions): Rule {
  return (facts) => {
    const findings: Finding[] = [];
    if (enginePrefix !== undefined && enginePrefix !== prefix) {
      const why = `the engine uses the prefix "${enginePrefix}", this service "${prefix}": tasks go to queues that nobody reads`;
      findings.push(finding('custom.durable.prefix', why, 'give both the same prefix (and namespace)'));
    }
    for (const fn of facts.functions) {
      if (fn.prefix === undefined || fn.prefix === prefix) continue;
      const why = `its DURABLE_PREFIX is "${fn.prefix}", that of the service "${prefix}": its results go to a queue that no engine reads`;
      findings.push(finding(`${facts.source}: function ${fn.name}`, why, 'remove DURABLE_PREFIX from its environment, or deploy again'));
    }
    return findings;
  };
}

function finding(where: string, why: string, fix: string): Finding {
  return { id: 'prefix-differs', severity: 'error', where, why, fix };
}
