import { expect, it } from 'vitest';
import { isTick } from '../../../src/engine-function/tick.ts';
import { scheduledEvent } from '../../../src/local/scheduled-event.ts';

it('scheduledEvent gives what EventBridge sends, which an engine takes for a tick', () => {
  const event = scheduledEvent({ region: 'eu-central-1', rule: 'every-minute' });

  expect(isTick(event)).toBe(true);
  expect(event).toMatchObject({
    'detail-type': 'Scheduled Event',
    resources: ['arn:aws:events:eu-central-1:000000000000:rule/every-minute'],
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
  });
});
