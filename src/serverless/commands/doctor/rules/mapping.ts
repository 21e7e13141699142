import { type Finding, mappingLabel, type Rule } from '../finding.ts';
import { type DurableMapping, durableMappings, type MappedKind } from '../queue-kind.ts';

/** A mapping of one of our queues reports failures per record, filters nothing, and is enabled. */
export const mappingRule: Rule = (facts) =>
  durableMappings(facts).flatMap((durable) => {
    const where = mappingLabel(facts, durable);
    return problems(durable).map((problem): Finding => ({ ...problem, where }));
  });

const MESSAGE: Readonly<Record<MappedKind, string>> = {
  tasks: 'task',
  'dead-letters': 'dead letter',
  results: 'result',
  'start-run': 'start',
  'wake-ups': 'wake-up',
};

function problems({ mapping, kind }: DurableMapping): Omit<Finding, 'where'>[] {
  const message = MESSAGE[kind];
  const found: Omit<Finding, 'where'>[] = [];
  if (!mapping.reportsItemFailures) {
    const why = 'ReportBatchItemFailures is missing: Lambda ignores which records failed, and deletes them with the rest';
    found.push({ id: 'partial-failures-off', severity: 'error', why, fix: 'set FunctionResponseTypes to [ReportBatchItemFailures]' });
  }
  if (mapping.filters) {
    const why = `it has filter patterns: Lambda deletes every ${message} that does not match, and its run waits for ever`;
    const fix = 'remove FilterCriteria; give tasks that differ a step or a partition of their own';
    found.push({ id: 'filter-on-tasks', severity: 'error', why, fix });
  }
  if (!mapping.enabled) {
    const why = `it is disabled: ${message}s wait, and expire after the retention of the queue`;
    found.push({ id: 'mapping-disabled', severity: 'warning', why, fix: 'set enabled: true when the reason for it is gone' });
  }
  return found;
}
