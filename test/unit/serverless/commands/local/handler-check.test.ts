import { describe, expect, it } from 'vitest';
import type { HandlerKind } from '../../../../../src/local/process/protocol.ts';
import { handlerProblems } from '../../../../../src/serverless/commands/local/handler-check.ts';
import { serviceOf, workflowService } from '../context.ts';

const dead = { dead: { handler: 'dead.handler', events: [{ durableDeadLetters: true }] } };
const service = serviceOf({ pay: 'payments.charge', ship: 'ship' }, { functions: dead });
const steps = (...names: string[]): HandlerKind => ({ kind: 'steps', names });

describe('handlerProblems', () => {
  it('finds nothing where code and serverless.yml agree', () => {
    expect(handlerProblems(steps('payments.charge'), 'pay', service)).toEqual([]);
    expect(handlerProblems({ kind: 'dead-letters' }, 'dead', service)).toEqual([]);
  });

  it.each<[string, HandlerKind, string, string[]]>([
    [
      'a step that the handler does not serve',
      steps('payments.refund'),
      'pay',
      [
        'serverless.yml maps "payments.charge" to it, and its handler serves "payments.refund": those tasks fail with no_handler',
        'its handler serves "payments.refund", which serverless.yml does not map to it: no task comes',
      ],
    ],
    [
      'a step that serverless.yml does not map',
      steps('payments.charge', 'payments.refund'),
      'pay',
      ['its handler serves "payments.refund", which serverless.yml does not map to it: no task comes'],
    ],
    [
      'a plain function behind a step',
      { kind: 'other' },
      'pay',
      [
        "its handler is not that of sqsStepHandler('payments.charge', …), or is wrapped: whether it answers the engine shows with its first invocation",
      ],
    ],
    [
      'a plain function behind dead letters',
      { kind: 'other' },
      'dead',
      ['its handler is not that of sqsDeadLetterHandler(), or is wrapped: whether it answers the engine shows with its first invocation'],
    ],
    [
      'a handler of dead letters behind a step',
      { kind: 'dead-letters' },
      'pay',
      ['its handler is one for dead letters, and serverless.yml maps "payments.charge" to it; use sqsStepHandler'],
    ],
    [
      'a handler of steps behind dead letters',
      steps(),
      'dead',
      ['serverless.yml maps dead-letter queues to it, and its handler is one for steps; use sqsDeadLetterHandler'],
    ],
  ])('finds %s', (_what, handler, functionKey, problems) => {
    expect(handlerProblems(handler, functionKey, service)).toEqual(problems);
  });

  it('compares the workflows of a handler with those of serverless.yml', () => {
    const workflows = (...names: string[]): HandlerKind => ({ kind: 'workflows', names });
    const checkout = workflowService('checkout');
    expect(handlerProblems(workflows('checkout'), 'checkout', checkout)).toEqual([]);
    expect(handlerProblems(workflows('refund'), 'checkout', checkout)).toEqual([
      'serverless.yml maps "checkout" to it, and its handler serves "refund": those turns fail with no_workflow',
      'its handler serves "refund", which serverless.yml does not map to it: no task comes',
    ]);
    expect(handlerProblems({ kind: 'other' }, 'checkout', checkout)).toEqual([
      expect.stringContaining("its handler is not that of sqsWorkflowHandler('checkout', …)"),
    ]);
  });

  it('finds a handler of steps behind a workflow, and one of workflows behind a step', () => {
    expect(handlerProblems(steps('checkout'), 'checkout', workflowService('checkout'))).toEqual([
      'serverless.yml maps workflow "checkout" to it (durableWorkflow), and its handler is one for steps: no message would be understood; ' +
        'use sqsWorkflowHandler, or durableStep in serverless.yml',
    ]);
    expect(handlerProblems({ kind: 'workflows', names: ['payments.charge'] }, 'pay', service)).toEqual([
      'serverless.yml maps step "payments.charge" to it (durableStep), and its handler is one for workflows: no message would be understood; ' +
        'use sqsStepHandler, or durableWorkflow in serverless.yml',
    ]);
  });

  it('knows the handler of an engine', () => {
    const withEngine = serviceOf(
      { pay: 'payments.charge' },
      { functions: { ...dead, engine: { handler: 'engine.handler', events: [{ durableEngine: true }] } } },
    );
    const engine: HandlerKind = { kind: 'engine' };
    expect(handlerProblems(engine, 'engine', withEngine)).toEqual([]);
    expect(handlerProblems({ kind: 'other' }, 'engine', withEngine)).toEqual([
      'its handler is not that of sqsEngineHandler(), or is wrapped: whether it is an engine shows with its first invocation',
    ]);
    expect(handlerProblems(steps('payments.charge'), 'engine', withEngine)).toEqual([
      'serverless.yml makes it the engine (durableEngine), and its handler is one for steps: it would understand no result; use sqsEngineHandler',
    ]);
    expect(handlerProblems({ kind: 'dead-letters' }, 'engine', withEngine)).toEqual([
      expect.stringContaining('its handler is one for dead letters'),
    ]);
    expect(handlerProblems(engine, 'pay', withEngine)).toEqual([
      'serverless.yml maps "payments.charge" to it, and its handler is an engine; ' +
        "use sqsStepHandler('payments.charge', …), or durableEngine in serverless.yml",
    ]);
    expect(handlerProblems(engine, 'dead', withEngine)).toEqual([
      'serverless.yml maps dead-letter queues to it, and its handler is an engine; use sqsDeadLetterHandler(), or durableEngine in serverless.yml',
    ]);
  });

  it('accepts one name for a step with several partitions', () => {
    const partitions = serviceOf({ pay: { name: 'pay', partition: 'a' } });
    expect(handlerProblems(steps('pay'), 'pay', partitions)).toEqual([]);
  });
});
