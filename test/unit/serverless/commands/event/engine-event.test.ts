import { describe, expect, it } from 'vitest';
import { isTick } from '../../../../../src/engine-function/tick.ts';
import { eventCommand } from '../../../../../src/serverless/commands/event/command.ts';
import { serviceOf, testContext } from '../context.ts';

const service = serviceOf({ pay: 'pay' }, { functions: { engine: { handler: 'engine.handler', events: [{ durableEngine: true }] } } });

describe('sls durable event --tick', () => {
  it('makes the event of the schedule', async () => {
    const { context, terminal } = testContext({ service, options: { tick: true } });
    await eventCommand.run(context);
    const tick: unknown = JSON.parse(terminal.out);
    expect(isTick(tick)).toBe(true);
    expect(tick).toMatchObject({ 'detail-type': 'Scheduled Event', region: 'eu-central-1' });
  });

  it.each(['step', 'start'])('refuses --%s beside it', async (option) => {
    const { context } = testContext({ service, options: { tick: true, [option]: 'pay' } });
    await expect(eventCommand.run(context)).rejects.toThrow(`expected --tick or --${option}, got both`);
  });

  it('refuses a service whose engine is a process', async () => {
    const { context } = testContext({ service: serviceOf({ pay: 'pay' }), options: { tick: true } });
    await expect(eventCommand.run(context)).rejects.toThrow('--tick: no function of this service is the engine (durableEngine)');
  });
});
