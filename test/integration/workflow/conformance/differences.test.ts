import type { WorkflowCtx } from '@dudousxd/nestjs-durable-core';
import { describe, expect, it } from 'vitest';
import { sqsWorkflowHandler } from '../../../../src/workflow/index.ts';
import { commandsOf, conformance } from './cases.ts';

/*
 * The peer's specs that do not hold here as they stand:
 * - Calls and options that the wire does not carry throw an error of ours, and options too (the peer ignores those of
 *   `step`).
 * - A worker that serves no workflow is refused.
 * - A worker has no partition: the steps that its workflows call are in none.
 * - SQS has no control channel, so a turn does not hear of a cancel; the engine drops its decision (see
 *   control-flow.test.ts).
 */

const harness = conformance();

const CALLS: Readonly<Record<string, (ctx: WorkflowCtx) => unknown>> = {
  transaction: (ctx) => ctx.transaction('t', async () => 1),
  callEntity: (ctx) => ctx.callEntity('e', 'k', 'op'),
  signalEntity: (ctx) => ctx.signalEntity('e', 'k', 'op'),
  continueAsNew: (ctx) => ctx.continueAsNew({}),
  sleepUntil: (ctx) => ctx.sleepUntil(0),
  waitForEvent: (ctx) => ctx.waitForEvent('e'),
  task: (ctx) => ctx.task('t', async () => undefined),
  startChild: (ctx) => ctx.startChild('child', 1),
  breakpoint: (ctx) => ctx.breakpoint('b'),
  webhook: (ctx) => ctx.webhook(),
  setEvent: (ctx) => ctx.setEvent('k', 1),
  onUpdate: (ctx) => ctx.onUpdate('u'),
  patched: (ctx) => ctx.patched('p'),
};

describe('workflow-context: calls that the wire does not carry', () => {
  it('throw at the call, each by its name, and take no position', async () => {
    const ended = await harness().run(async (ctx) => {
      const refused: string[] = [];
      for (const [name, call] of Object.entries(CALLS)) {
        try {
          await call(ctx);
        } catch (error) {
          if (Object(error).code === 'unsupported_in_workflow' && Object(error).message.startsWith(`ctx.${name}()`)) refused.push(name);
        }
      }
      await ctx.sideEffect(() => 1);
      return refused;
    });
    expect(ended).toMatchObject({ status: 'completed', output: Object.keys(CALLS) });
    expect(commandsOf(ended)).toMatchObject([{ kind: 'recordStep', seq: 0 }]);
  });
});

describe('workflow-context, workflow-worker: what differs', () => {
  it('options of a step are refused, and no step is dispatched', async () => {
    const ended = await harness().run((ctx) => ctx.step('test.double', 1, { queue: 'q', priority: 5, fairnessKey: 'k', transport: 't' }));
    expect(ended).toMatchObject({ status: 'failed', error: { code: 'unsupported_in_workflow' } });
    expect(commandsOf(ended)).toEqual([]);
  });

  it('a handler of no workflow is refused', () => {
    expect(() => sqsWorkflowHandler({})).toThrow('got an empty one');
  });
});
