import { runStepHandler, type StepLogger } from '@dudousxd/nestjs-durable-core';
import { StepFailedError } from '../errors.ts';
import type { RemoteTask } from '../wire/remote-task.ts';
import type { StepResult } from '../wire/step-result.ts';
import { type ReadableError, readableError } from './readable-error.ts';
import { type Sealing, sealable } from './sealing.ts';
import { type StandardSchemaV1, validated } from './standard-schema.ts';
import type { StepContext } from './step-context.ts';

/** A step as its worker serves it. */
export interface ServedStep<Context extends StepContext = StepContext> {
  readonly run: (input: unknown, step: Context) => unknown;
  readonly input?: StandardSchemaV1 | undefined;
  readonly output?: StandardSchemaV1 | undefined;
}

/** Wraps every step: open a span, set a context, begin a transaction, then `return next()`. What it returns is the output. */
export type Around<Context extends StepContext = StepContext> = (step: Context, next: () => Promise<unknown>) => unknown;

export interface Worker<Context extends StepContext> {
  /** By the name in `task.name`. */
  readonly steps: ReadonlyMap<string, ServedStep<Context>>;
  readonly around?: Around<Context> | undefined;
}

/** One run of a task, as its worker sees it. */
export interface TaskRun<Context extends StepContext> {
  /** Adds to the engine's logger instead of wrapping it, so that `currentStep()` inside the step is the step's own context. */
  contextOf(logger: StepLogger): Context;
  /** Where the step's time can end before the step does. */
  readonly sealing?: Sealing | undefined;
  /** What the step threw if it threw: for logs, by name and code only. Set before the result is there. */
  thrown?: ReadableError | undefined;
}

/**
 * One task to one result. Never rejects: whatever the step, its schemas or `around` do becomes a result.
 *
 * It runs through the core package's `runStepHandler`, so the engine's own contract (ambient `currentStep()`, events, codes)
 * holds to the letter; on top of that a `FatalError` is not retryable, as the engine documents it.
 *
 * No async function of its own, and none between the engine's and the step: each would be a promise and a turn per record.
 */
export function runTask<Context extends StepContext>(
  task: RemoteTask,
  worker: Worker<Context>,
  run: TaskRun<Context>,
): Promise<StepResult> {
  const readable = (thrown: unknown) => {
    run.thrown = readableError(thrown);
    return run.thrown;
  };
  return runStepHandler(task, (input, logger) => {
    try {
      const running = runServed(task, input, run.contextOf(logger), worker);
      if (!isThenable(running)) return running;
      if (run.sealing !== undefined) return sealable(running, logger, run.sealing, readable);
      return Promise.resolve(running).catch((error: unknown) => {
        throw readable(error);
      });
    } catch (error) {
      throw readable(error);
    }
  });
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

/** What the step gives; may throw. Without schemas and `around` that is the step's own promise: each layer is a turn per record. */
function runServed<Context extends StepContext>(
  task: RemoteTask,
  input: unknown,
  context: Context,
  { steps, around }: Worker<Context>,
): unknown {
  const step = steps.get(task.name);
  if (step === undefined) {
    const served = [...steps.keys()].map((name) => `"${name}"`).join(', ');
    throw new StepFailedError('no_handler', `no handler for step "${task.name}": this worker serves ${served || 'no step'}`);
  }
  if (around !== undefined) return around(context, async () => runValidated(task, step, input, context));
  return step.input === undefined && step.output === undefined ? step.run(input, context) : runValidated(task, step, input, context);
}

async function runValidated<Context extends StepContext>(task: RemoteTask, step: ServedStep<Context>, input: unknown, context: Context) {
  const checkedInput = await validated(step.input, input, 'input', task.name);
  return validated(step.output, await step.run(checkedInput, context), 'output', task.name);
}
