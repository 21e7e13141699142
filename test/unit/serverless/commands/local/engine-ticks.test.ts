import { describe, expect, it } from 'vitest';
import type { HandlerOutcome } from '../../../../../src/local/lambda-runtime.ts';
import { EngineTicks } from '../../../../../src/serverless/commands/local/engine-ticks.ts';
import { deferred } from '../../../../support/deferred.ts';
import { FakeTiming, settle } from '../../../../support/fake-timing.ts';

const SETTINGS = { functionName: 'shop-dev-engine', timeoutMs: 10_000, region: 'eu-central-1' };
const OK: HandlerOutcome = { kind: 'returned', response: { batchItemFailures: [] } };

function ticks(invoke: () => Promise<HandlerOutcome> = async () => OK) {
  const timing = new FakeTiming();
  const events: unknown[] = [];
  const ended: HandlerOutcome[] = [];
  const runtime = {
    invoke: (event: unknown) => {
      events.push(event);
      return invoke();
    },
  };
  const onTick = (outcome: HandlerOutcome) => void ended.push(outcome);
  return { timing, events, ended, schedule: new EngineTicks({ runtime, settings: SETTINGS, everyMs: 60_000, onTick, timing }) };
}

describe('EngineTicks', () => {
  it("invokes the function at once and each minute, with EventBridge's event", async () => {
    const { timing, events, schedule } = ticks();
    schedule.start();
    await settle();
    expect(events).toMatchObject([{ source: 'aws.events', region: 'eu-central-1' }]);

    await timing.advance(59_999);
    expect(events).toHaveLength(1);
    await timing.advance(1);
    expect(events).toHaveLength(2);
    await schedule.stop();
  });

  it('a tick that fails is told, and not tried again before its time', async () => {
    const failed: HandlerOutcome = { kind: 'threw', error: new Error('no database') };
    const { timing, events, ended, schedule } = ticks(async () => failed);
    schedule.start();
    await settle();
    await timing.advance(30_000);
    expect([events.length, ended]).toEqual([1, [failed]]);
    await schedule.stop();
  });

  it('stop() waits for the tick that is under way, and no other begins', async () => {
    const open = deferred<HandlerOutcome>();
    const { timing, events, schedule } = ticks(() => open.promise);
    schedule.start();
    await settle();
    let stopped = false;
    const stopping = schedule.stop().then(() => {
      stopped = true;
    });
    await settle();
    expect(stopped).toBe(false);
    open.resolve(OK);
    await stopping;
    await timing.advance(120_000);
    expect(events).toHaveLength(1);
  });
});
