import { expect, it } from 'vitest';
import { payloadKey } from '../../../../../src/payloads/payload-key.ts';
import { encodePointer } from '../../../../../src/payloads/pointer.ts';
import { engineOutcomes } from '../../../../../src/serverless/commands/local/engine-outcomes.ts';
import { outcomeText } from '../../../../../src/serverless/commands/local/outcome-text.ts';
import { encodeWakeUp } from '../../../../../src/wire/wake-up.ts';
import { recordOf } from '../../../../support/sqs-records.ts';

it('engineOutcomes says of results, stored results, starts and wake-ups which run they are of, and whether the engine took them', () => {
  const key = payloadKey({ kind: 'result', runId: 'b', stepId: 'b:0', seq: 0 }, 'uuid', 'durable/');
  const bodies = [
    JSON.stringify({ runId: 'a', seq: 0, stepId: 'a:0', status: 'completed' }),
    encodePointer({ bucket: 'bucket', key }),
    JSON.stringify({ workflow: 'checkout', input: {}, runId: 'c' }),
    encodeWakeUp('d', 1),
    'poison',
  ];
  const records = bodies.map((body, index) => recordOf(body, { messageId: String(index) }));

  const outcomes = engineOutcomes(records, new Set(['2']));

  expect(outcomes).toEqual([
    { runId: 'a', outcome: 'taken' },
    { runId: 'b', outcome: 'taken' },
    { runId: 'c', outcome: 'redelivered' },
    { runId: 'd', outcome: 'taken' },
    { outcome: 'taken' },
  ]);
  expect(outcomeText(outcomes, 'answers')).toBe('4 taken, 1 redelivered');
});
