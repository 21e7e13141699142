import type { Facts } from '../facts.ts';
import type { Finding } from '../finding.ts';
import { alarmsRule } from './alarms.ts';
import { type BatchTimeOptions, batchTimeRule } from './batch-time.ts';
import { concurrencyRule } from './concurrency.ts';
import { engineRule } from './engine.ts';
import { mappingRule } from './mapping.ts';
import { type PrefixOptions, prefixRule } from './prefix.ts';
import { redriveRule } from './redrive.ts';
import { runtimeRule } from './runtime.ts';
import { visibilityRule } from './visibility.ts';

/** All mistakes in a service. */
export function judge(facts: Facts, options: BatchTimeOptions & PrefixOptions): Finding[] {
  const rules = [
    visibilityRule,
    redriveRule,
    mappingRule,
    concurrencyRule,
    batchTimeRule(options),
    runtimeRule,
    alarmsRule,
    engineRule,
    prefixRule(options),
  ];
  return rules.flatMap((rule) => rule(facts));
}
