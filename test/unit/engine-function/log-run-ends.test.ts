import { FatalError, InMemoryStateStore } from '@dudousxd/nestjs-durable-core';
import { afterEach, expect, it } from 'vitest';
import { EngineFleet } from '../../support/engine-fleet.ts';

let fleet: EngineFleet | undefined;
afterEach(() => fleet?.close());

it('an engine function logs the end of each run, with ids and nothing else', async () => {
  fleet = new EngineFleet({
    store: new InMemoryStateStore(),
    register: (engine) => {
      engine.register('greeting', '1', async (ctx, input) => ctx.step('greet', input));
      engine.register('refusal', '1', async () => {
        throw new FatalError('no greeting for Ada', 'refused');
      });
    },
  });

  fleet.put('durable-start-run', { tenant: 'default', workflow: 'greeting', input: 'Ada', runId: 'good' });
  fleet.put('durable-start-run', { tenant: 'default', workflow: 'refusal', input: 'Ada', runId: 'bad' });
  await fleet.ended(['good', 'bad']);

  const ends = fleet.logger.lines.filter(({ message }) => message.startsWith('run '));
  expect(ends).toHaveLength(2);
  expect(ends).toContainEqual({ level: 'info', message: 'run completed', fields: { workflow: 'greeting', runId: 'good' } });
  expect(ends).toContainEqual({ level: 'warn', message: 'run failed', fields: { workflow: 'refusal', runId: 'bad' } });
});
