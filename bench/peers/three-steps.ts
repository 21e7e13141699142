import { ECHO_STEP } from './echo-step.ts';

export const THREE_STEPS = 'bench_three_steps';

interface Steps {
  step(name: string, input: unknown): Promise<unknown>;
}

/** The workflow whose engine is measured, the same in a function and in a container. */
export async function threeSteps(ctx: Steps, input: unknown): Promise<unknown> {
  return ctx.step(ECHO_STEP, await ctx.step(ECHO_STEP, await ctx.step(ECHO_STEP, input)));
}
