import { durableMappings, type Finding, type Rule } from '../facts.ts';

/** A mapping of a tasks or dead-letter queue reports failures one by one, filters nothing, and is on. */
export const mappingRule: Rule = (facts) =>
  durableMappings(facts).flatMap(({ mapping, queue, kind }) => {
    const message = kind === 'tasks' ? 'task' : 'dead letter';
    const where = `${facts.source}: mapping ${mapping.id} of ${queue?.name ?? mapping.queueId}`;
    const findings: Finding[] = [];
    if (!mapping.reportsItemFailures) {
      const why = 'ReportBatchItemFailures is missing: Lambda ignores which records failed, and deletes them with the rest';
      findings.push({
        id: 'partial-failures-off',
        severity: 'error',
        where,
        why,
        fix: 'set FunctionResponseTypes to [ReportBatchItemFailures]',
      });
    }
    if (mapping.filters) {
      const why = `it has filter patterns: Lambda deletes every ${message} that does not match, and its run waits for ever`;
      findings.push({
        id: 'filter-on-tasks',
        severity: 'error',
        where,
        why,
        fix: 'remove FilterCriteria; give tasks that differ a step or a partition of their own',
      });
    }
    if (!mapping.enabled) {
      const why = `it is disabled: ${message}s wait, and expire after the retention of the queue`;
      findings.push({ id: 'mapping-disabled', severity: 'warning', where, why, fix: 'set enabled: true when the reason for it is gone' });
    }
    return findings;
  });
