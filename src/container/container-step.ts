import type { StepContext } from '../step/step-context.ts';

/** A step that a process serves with `handle`: input and context in, output (JSON) out. */
export type ContainerStepFunction<Input, Output> = (input: Input, step: StepContext) => Output | Promise<Output>;

/**
 * An input whose type nobody gave is what `JSON.parse` gives, so that the published examples (`async ({ orderId }) =>
 * …`) compile.
 */
export type FromJson = ReturnType<typeof JSON.parse>;

export function isStepFunction(fn: unknown): fn is (input: unknown, step: StepContext) => unknown {
  return typeof fn === 'function';
}
