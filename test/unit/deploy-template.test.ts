import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { RegoEngine, TemplateFile } from '@aws/cloudformation-validate';
import { describe, expect, it } from 'vitest';
import { deadLetterQueueName, tasksQueueName } from '../../src/topology/queue-names.ts';

const path = fileURLToPath(new URL('../../docs/one-step.yml', import.meta.url));

describe('docs/one-step.yml', () => {
  it('passes the validator of CloudFormation', () => {
    const engine = new RegoEngine();
    try {
      const { diagnostics } = engine.validateStandard(new TemplateFile(path));
      const errors = diagnostics.filter(({ severity }) => /error|fatal/i.test(String(severity)));
      expect(errors.map(({ ruleId, message }) => `${ruleId}: ${message}`)).toEqual([]);
    } finally {
      engine.free();
    }
  });

  it('names its queues as the engine does', () => {
    const template = readFileSync(path, 'utf8');
    expect(template).toContain(`QueueName: ${tasksQueueName('payments.charge-card')}\n`);
    expect(template).toContain(`QueueName: ${deadLetterQueueName('payments.charge-card')}\n`);
  });
});
