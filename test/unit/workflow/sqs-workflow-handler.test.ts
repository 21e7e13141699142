import { isWorkflowControlFlowSignal, type WorkflowTask } from '@dudousxd/nestjs-durable-core';
import { describe, expect, it, vi } from 'vitest';
import { ConfigurationError } from '../../../src/errors.ts';
import { WORKFLOW_HANDLER } from '../../../src/lambda/handler-marks.ts';
import { NO_RETRIES, type WorkerQueues } from '../../../src/lambda/worker-queues.ts';
import { decodeWorkflowDecision } from '../../../src/wire/workflow-decision.ts';
import { encodeWorkflowTask } from '../../../src/wire/workflow-task.ts';
import { sqsWorkflowHandler, type WorkflowContext } from '../../../src/workflow/index.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { contextOf, eventOf, recordOf } from '../../support/sqs-records.ts';
import { turn, turnOf, type Workflow } from '../../support/turns.ts';

const chain: Workflow = async (ctx, input) => {
  const first = await ctx.step<number>('double', input);
  return ctx.step<number>('double', first);
};

describe('sqsWorkflowHandler', () => {
  it('asks for the first step that the history does not have, and consumes the record', async () => {
    const { decisions, reported } = await turn({ history: [{ seq: 0, kind: 'call', name: 'double', output: 4 }] }, chain);
    const command = { kind: 'call', seq: 1, name: 'double', group: '', input: 4 };
    expect(decisions).toEqual([{ taskId: 'run:wf:1', runId: 'run', status: 'continue', commands: [command] }]);
    expect(reported).toEqual([]);
  });

  it('completes with the output of the workflow', async () => {
    const history: WorkflowTask['history'] = [0, 1].map((seq) => ({ seq, kind: 'call', name: 'double', output: 8 }));
    const { decisions } = await turn({ history }, chain);
    expect(decisions).toMatchObject([{ status: 'completed', output: 8 }]);
  });

  it('fails a run whose history does not fit the code: position, what was recorded and what was called', async () => {
    const { decisions } = await turn({ history: [{ seq: 0, kind: 'call', name: 'triple', output: 4 }] }, chain);
    expect(decisions).toMatchObject([{ status: 'failed', error: { code: 'nondeterminism' } }]);
    for (const part of ['run#0', 'call/"double"', 'call/"triple"']) expect(decisions[0]?.error?.message).toContain(part);
  });

  it('fails a run whose history is longer than the code', async () => {
    const history: WorkflowTask['history'] = [0, 1, 2].map((seq) => ({ seq, kind: 'call', name: 'double', output: 8 }));
    const { decisions } = await turn({ history }, chain);
    expect(decisions).toMatchObject([{ status: 'failed', commands: [], error: { code: 'nondeterminism' } }]);
    for (const part of ['run#2', 'the end of the workflow', 'call/"double"']) expect(decisions[0]?.error?.message).toContain(part);
  });

  it.each([
    ['calls another step', async (ctx: WorkflowContext) => ctx.step('cancel', 1)],
    ['returns', async () => 'swallowed'],
  ])('fails a run whose code catches that its history does not fit, and %s', async (_what, instead) => {
    const { decisions } = await turn({ history: [{ seq: 0, kind: 'call', name: 'triple', output: 4 }] }, async (ctx) => {
      try {
        return await ctx.step('double', 1);
      } catch (error) {
        if (isWorkflowControlFlowSignal(error)) throw error;
        return instead(ctx);
      }
    });
    expect(decisions).toMatchObject([{ status: 'failed', commands: [], error: { code: 'nondeterminism', retryable: false } }]);
    expect(decisions[0]?.error?.message).toContain('run#0');
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('fails a run that sleeps for %s: no engine could read the decision', async (duration) => {
    const { decisions } = await turn({}, async (ctx) => ctx.sleep(duration));
    expect(decisions).toMatchObject([{ status: 'failed', commands: [] }]);
    expect(decisions[0]?.error?.message).toContain(`got ${duration}`);
  });

  it('survives a call that is not awaited: the run fails, not the process', async () => {
    const rejected: unknown[] = [];
    const listen = (reason: unknown) => rejected.push(reason);
    process.on('unhandledRejection', listen);
    const { decisions } = await turn({}, async (ctx) => {
      void ctx.step('double', 1);
      return 'done';
    });
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', listen);
    expect(decisions).toMatchObject([{ status: 'failed', error: { code: 'suspension_caught' } }]);
    expect(rejected).toEqual([]);
  });

  it('leaves the turn of a version that is not served, and says which versions are', async () => {
    const { decisions, reported, logger } = await turn({ workflowVersion: '2' }, chain);
    expect(decisions).toEqual([]);
    expect(reported).toEqual([{ itemIdentifier: 'message' }]);
    const reason = 'version "2" of workflow "checkout" is not served here, but "1", "3"; deploy it until its runs have ended';
    expect(logger.lines).toMatchObject([{ level: 'warn', fields: { workflow: 'checkout', workflowVersion: '2', runId: 'run', reason } }]);
  });

  it('fails the run of a workflow that it does not know', async () => {
    const { decisions } = await turn({ workflow: 'refund' }, chain);
    expect(decisions).toMatchObject([{ status: 'failed', error: { code: 'no_workflow', message: expect.stringContaining('"refund"') } }]);
  });

  it('fails a workflow that returns while it waits', async () => {
    const { decisions } = await turn({}, async (ctx) => {
      await ctx.step('double', 1).catch(() => undefined);
      return 'done';
    });
    expect(decisions).toMatchObject([{ status: 'failed', commands: [], error: { code: 'suspension_caught' } }]);
    expect(decisions[0]?.error?.message).toContain('position 0 (call)');
  });

  it.each([
    ['output', async () => 1n, 'BigInt'],
    ['output', async () => new Map([[1, 2]]), 'output is a Map'],
    ['input of a step', async (ctx: WorkflowContext) => ctx.step('double', new Set([1])), 'is a Set'],
  ])('fails a run whose %s cannot become JSON', async (_what, workflow, problem) => {
    const { decisions } = await turn({}, workflow);
    expect(decisions).toMatchObject([{ status: 'failed', error: { code: 'unserializable_output' } }]);
    expect(decisions[0]?.error?.message).toContain(problem);
  });

  it('fails a run whose output is too large, and gives up log lines before that', async () => {
    const large = await turn({}, async () => 'x'.repeat(1_100_000));
    expect(large.decisions).toMatchObject([{ status: 'failed', error: { code: 'result_too_large' } }]);
    const chatty = await turn({}, async (ctx) => {
      await ctx.localStep('talk', (log) => log.info('x'.repeat(1_100_000)));
      return 'done';
    });
    expect(chatty.decisions).toMatchObject([{ status: 'completed', output: 'done', commands: [{ kind: 'recordStep', seq: 0 }] }]);
  });

  it('runs no turn again whose decision was not accepted: the same process sends it', async () => {
    const runs = vi.fn(chain);
    const logger = capturingLogger();
    const sent: string[] = [];
    let isDown = true;
    const queues: WorkerQueues = {
      url: async () => 'results',
      retries: () => NO_RETRIES,
      async send(_url, { body }) {
        if (isDown) throw new Error('down');
        sent.push(body);
      },
    };
    const handler = sqsWorkflowHandler('checkout', '1', runs, { logger });
    const event = eventOf(recordOf(encodeWorkflowTask(turnOf())));
    await expect(handler[WORKFLOW_HANDLER].invoke(event, contextOf(), queues)).rejects.toThrow('none of the results');
    isDown = false;
    await handler[WORKFLOW_HANDLER].invoke(event, contextOf(), queues);
    expect(runs).toHaveBeenCalledTimes(1);
    expect(sent.map((body) => decodeWorkflowDecision(body).status)).toEqual(['continue']);
  });

  it('gives a turn back that does not end in its time: a failed one would fail its run', async () => {
    const { decisions, reported } = await turn({}, () => new Promise(() => undefined), { remainingMs: 400 });
    expect(decisions).toEqual([]);
    expect(reported).toEqual([{ itemIdentifier: 'message' }]);
  });

  it.each(['{}', 'text', JSON.stringify({ ...turnOf(), history: [{ seq: 'one', kind: 'call' }] })])(
    'leaves what is no turn to the dead letters: %s',
    async (body) => {
      const { decisions, reported, logger } = await turn(body, chain);
      expect(decisions).toEqual([]);
      expect(reported).toEqual([{ itemIdentifier: 'message' }]);
      expect(logger.lines).toMatchObject([{ level: 'error', message: 'message is not a WorkflowTask; left for the dead-letter queue' }]);
    },
  );

  it('refuses wrong arguments at module load', () => {
    const called =
      (...given: readonly unknown[]) =>
      () =>
        Reflect.apply(sqsWorkflowHandler, undefined, given);
    expect(called('checkout', '1', 'text')).toThrow(
      new ConfigurationError('sqsWorkflowHandler: expected the function of workflow "checkout", version "1", got a string'),
    );
    expect(called('checkout', chain)).toThrow(ConfigurationError);
    expect(called({})).toThrow(ConfigurationError);
    expect(called({ checkout: chain })).toThrow(ConfigurationError);
    expect(called('checkout', '1', chain, { retries: 3 })).toThrow('unknown option "retries"');
  });
});
