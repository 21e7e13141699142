import type { WorkflowContext } from '@dudousxd/durable-worker';
import { afterAll, beforeAll } from 'vitest';
import { type Ended, type StepFunctions, type WorkflowCloud, workflowCloud } from '../../../support/workflow-cloud.ts';

/*
 * What the specs of the peer's own worker (`packages/worker` of nestjs-durable: conformance, ctx-conformance,
 * control-flow-signal, workflow-context, workflow-context.gather, workflow-worker) assert, walked by a real engine over
 * real queues. The titles of the tests are those of the specs, shortened. `differences.test.ts` names what does not
 * hold, or holds otherwise.
 */

export const STEPS: StepFunctions = {
  'test.double': (input) => Number(input) * 2,
  'test.decline': () => {
    throw Object.assign(new Error('boom'), { code: 'card_declined', retryable: false });
  },
};

export type Body = (ctx: WorkflowContext, input: unknown) => unknown;

/**
 * Runs bodies, each as a workflow of its own, in which also the children `child` (doubles) and `bad child` (fails) are
 * served.
 */
export interface Conformance {
  readonly cloud: WorkflowCloud;
  run(body: Body, input?: unknown): Promise<Ended>;
  /** Starts a run and does not wait for its end. */
  start(body: Body, input?: unknown): Promise<string>;
}

/** One cloud for all tests of a file. */
export function conformance(): () => Conformance {
  const bodies: Body[] = [];
  let current: Conformance | undefined;

  beforeAll(async () => {
    const cloud = await workflowCloud({
      steps: STEPS,
      workflows: {
        body: (ctx: WorkflowContext, { index, input }: { index: number; input: unknown }) => bodies[index]?.(ctx, input),
        child: (_ctx: WorkflowContext, input: number) => input * 2,
        'bad child': () => {
          throw new Error('boom');
        },
      },
    });
    const inputOf = (body: Body, input: unknown) => ({ index: bodies.push(body) - 1, input });
    current = {
      cloud,
      run: (body, input = null) => cloud.run('body', inputOf(body, input)),
      async start(body, input = null) {
        const given = inputOf(body, input);
        await cloud.engine.start('body', given, `started-${given.index}`);
        return `started-${given.index}`;
      },
    };
  });

  afterAll(() => current?.cloud.close());

  return () => {
    if (current === undefined) throw new Error('the cloud is not up yet');
    return current;
  };
}

/** All commands that a run's turns came to, in order. */
export function commandsOf({ decisions }: Ended) {
  return decisions.flatMap(({ commands }) => commands);
}
