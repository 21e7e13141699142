import { ECHO_STEP } from './echo-step.ts';

export const TWO_STEPS = 'bench_two_steps';
/** From its start, from each result. */
export const TURNS_OF_A_RUN = 3;

interface Steps {
  step(name: string, input: unknown): Promise<unknown>;
}

/** The workflow whose turns are measured, the same in the engine's process and on Lambda. */
export async function twoSteps(ctx: Steps, input: unknown): Promise<unknown> {
  return ctx.step(ECHO_STEP, await ctx.step(ECHO_STEP, input));
}
