import type { Facts, QueueFacts } from './facts.ts';

/** One thing that is wrong. */
export interface Finding {
  /** Stable, for scripts. */
  readonly id: string;
  readonly severity: 'error' | 'warning';
  readonly where: string;
  readonly why: string;
  readonly fix: string;
}

/** Finds one kind of mistake. */
export type Rule = (facts: Facts) => Finding[];

/**
 * Errors first, each finding once: a rule that reads the command line only finds the same in the template and on AWS.
 */
export function sorted(findings: readonly Finding[]): Finding[] {
  const once = [...new Map(findings.map((finding) => [`${finding.id} ${finding.where}`, finding])).values()];
  return [...once.filter(({ severity }) => severity === 'error'), ...once.filter(({ severity }) => severity === 'warning')];
}

/** A queue as the `where` of a finding. */
export function queueLabel({ source }: Facts, { id, name = id }: QueueFacts): string {
  return `${source}: ${source === 'template' && name !== id ? `${id} (${name})` : name}`;
}

/** A mapping as the `where` of a finding. */
export function mappingLabel(
  { source }: Facts,
  { mapping, queue }: { mapping: { id: string; queueId: string }; queue?: QueueFacts | undefined },
): string {
  return `${source}: mapping ${mapping.id} of ${queue?.name ?? mapping.queueId}`;
}
