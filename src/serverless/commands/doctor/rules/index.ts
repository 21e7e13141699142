import type { Facts, Finding } from '../facts.ts';
import { alarmsRule } from './alarms.ts';
import { type BatchTimeOptions, batchTimeRule } from './batch-time.ts';
import { concurrencyRule } from './concurrency.ts';
import { mappingRule } from './mapping.ts';
import { type PrefixOptions, prefixRule } from './prefix.ts';
import { redriveRule } from './redrive.ts';
import { runtimeRule } from './runtime.ts';
import { visibilityRule } from './visibility.ts';

/** Everything that is wrong with a service, errors first. */
export function judge(facts: Facts, options: BatchTimeOptions & PrefixOptions): Finding[] {
  const rules = [
    visibilityRule,
    redriveRule,
    mappingRule,
    concurrencyRule,
    batchTimeRule(options),
    runtimeRule,
    alarmsRule,
    prefixRule(options),
  ];
  return rules.flatMap((rule) => rule(facts));
}

/** Errors first, each finding once: what the engine's prefix says is the same for template and AWS. */
export function sorted(findings: readonly Finding[]): Finding[] {
  const once = [...new Map(findings.map((finding) => [`${finding.id} ${finding.where}`, finding])).values()];
  return [...once.filter(({ severity }) => severity === 'error'), ...once.filter(({ severity }) => severity === 'warning')];
}
