import { expect, it } from 'vitest';
import { localReport } from '../../../../../src/serverless/commands/local/report.ts';
import { serviceOf, testContext } from '../context.ts';

it('localReport names function and queue in the warnings of a mapping, and leaves out those that invocations report', () => {
  const { context, terminal } = testContext({ service: serviceOf({ charge: 'charge' }) });
  const logger = localReport(context).logger('charge', 'payments.charge');

  logger.warn('AWS refuses this mapping: too short', { queueUrl: 'http://127.0.0.1/q' });
  logger.error('receive failed', { reason: 'no such queue' });
  logger.warn('invocation failed', { reason: 'it threw' });
  logger.warn('doubtful response', { reason: 'not an array' });
  logger.info('started', {});

  expect(terminal.err).toBe(
    'charge  payments.charge  AWS refuses this mapping: too short\ncharge  payments.charge  receive failed: no such queue\n',
  );
});
