import { describe, expect, it } from 'vitest';
import type { HandlerOutcome } from '../../../../../src/local/lambda-runtime.ts';
import { localReport, type ReadyFacts } from '../../../../../src/serverless/commands/local/report.ts';
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

describe('ready', () => {
  const FACTS = { endpoint: 'http://127.0.0.1:1', urls: new Map(), environment: ['export A=b'], containerSteps: [], starters: [] };
  const ready = (facts: Partial<ReadyFacts>) => {
    const { context, terminal } = testContext({ service: serviceOf({ charge: 'charge' }) });
    localReport(context).ready({ ...FACTS, engine: undefined, ...facts });
    return terminal.out;
  };

  it('ready names the function that is the engine: no shell has to run one', () => {
    expect(ready({})).toContain('SQS is at http://127.0.0.1:1. For the shell of an engine on this machine:');
    expect(ready({ engine: 'brain' })).toContain('The engine is the function brain. For a shell that starts runs on this machine:');
  });

  it('ready names each function that only starts runs, and how it is invoked', () => {
    expect(ready({ starters: ['api'] })).toContain(
      'api only starts runs, and nothing invokes it here. In that shell: npx sls invoke local -f api',
    );
  });
});

describe('ticked', () => {
  const ticked = (outcome: HandlerOutcome) => {
    const { context, terminal } = testContext({ service: serviceOf({ charge: 'charge' }) });
    localReport(context).ticked('engine', outcome, { durationMs: 41.4, timeoutMs: 10_000 });
    return terminal;
  };

  it('a tick that ended is one line', () => {
    expect(ticked({ kind: 'returned', response: undefined })).toMatchObject({ out: 'engine  tick  41 ms  ok\n', err: '' });
  });

  it('a tick that failed says why, and shows the stack of what was thrown', () => {
    const { out, err } = ticked({ kind: 'threw', error: new TypeError('no database') });
    expect(out).toBe('engine  tick  41 ms  failed; the next one does the same (the handler threw TypeError)\n');
    expect(err).toContain('TypeError: no database\n');
    expect(ticked({ kind: 'timeout' }).out).toContain('(the handler took longer than 10000 ms)');
  });
});
