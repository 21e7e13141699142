import { runStepHandler, type StepLogger } from '@dudousxd/nestjs-durable-core';
import { StepFailedError } from '../errors.ts';
import { decodeRemoteTask, type RemoteTask } from '../wire/remote-task.ts';
import { failureOf, type StepResult } from '../wire/step-result.ts';
import { encodeResult } from './encode-result.ts';
import type { InFlightTask } from './in-flight-task.ts';
import { readableError } from './readable-error.ts';
import { type StandardSchemaV1, validated } from './standard-schema.ts';
import type { StepContext } from './step-context.ts';
import type { TaskFormat } from './task-format.ts';

/** Steps as one kind of task, on the wire. */
export const STEP_FORMAT: TaskFormat<RemoteTask, StepResult> = {
  name: 'RemoteTask',
  noun: 'step',
  stored: { task: 'task', result: 'result' },
  idsOf: (task) => task,
  nameOf: ({ name }) => name,
  keyOf: ({ stepId, attempt }) => `${attempt} ${stepId}`,
  decode: decodeRemoteTask,
  fieldsOf: ({ name: step, runId, stepId, attempt }) => ({ step, runId, stepId, attempt }),
  encode: encodeResult,
  reread: (body) => JSON.parse(body),
  resultOf: ({ attempt }, result) => failureOf(attempt, result),
  failed({ runId, seq, stepId }, { message, code, retryable }) {
    return { runId, seq, stepId, status: 'failed', error: { message, code, retryable } };
  },
};

export type StepInFlight = InFlightTask<RemoteTask, StepResult>;

/** A step as its worker serves it. */
export interface ServedStep<Context extends StepContext = StepContext> {
  readonly run: (input: unknown, step: Context) => unknown;
  readonly input?: StandardSchemaV1 | undefined;
  readonly output?: StandardSchemaV1 | undefined;
}

/**
 * Wraps every step: open a span, set a context, begin a transaction, then `return next()`. What it returns is the
 * output.
 */
export type Around<Context extends StepContext = StepContext> = (step: Context, next: () => Promise<unknown>) => unknown;

export interface Steps<Context extends StepContext = StepContext> {
  /** By the name in `task.name`. */
  readonly steps: ReadonlyMap<string, ServedStep<Context>>;
  readonly around?: Around<Context> | undefined;
  /** Told what a step threw, as it was thrown and before its result leaves: for whoever sits at a terminal. */
  readonly onThrown?: ((thrown: unknown) => void) | undefined;
}

/** A context that is being filled in. */
export type Filling<Context> = { -readonly [Field in keyof Context]?: Context[Field] };

/**
 * Runs the step of a task. Never rejects: whatever the step, its schemas or `around` do becomes a result.
 *
 * It runs through the core package's `runStepHandler`, so the engine's own contract (ambient `currentStep()`, events,
 * codes) holds to the letter; on top of that a `FatalError` is not retryable, as the engine documents it.
 * @param fill adds what only the host knows to the context of the step
 */
export function runStep<Context extends StepContext>(
  task: RemoteTask,
  inFlight: StepInFlight,
  worker: Steps<Context>,
  fill: (context: Filling<Context>) => void,
): Promise<StepResult> {
  const readable = (thrown: unknown) => {
    inFlight.thrown = readableError(thrown);
    worker.onThrown?.(thrown);
    return inFlight.thrown;
  };
  return runStepHandler(task, (input, logger) => {
    try {
      const context = stepContext(logger, task, inFlight, fill);
      const running = serve(task, input, context, worker);
      return isThenable(running) ? outcomeOf(running, inFlight, logger, readable) : running;
    } catch (thrown) {
      throw readable(thrown);
    }
  });
}

/**
 * The engine's logger, filled in. Not wrapped: `currentStep()` inside the step is the step's own context.
 *
 * Field by field: `Object.assign` cost 2 % of a record.
 */
function stepContext<Context extends StepContext>(
  logger: StepLogger,
  task: RemoteTask,
  inFlight: StepInFlight,
  fill: (context: Filling<Context>) => void,
): Context;
function stepContext(
  context: Filling<StepContext>,
  task: RemoteTask,
  { signal, message }: StepInFlight,
  fill: (context: Filling<StepContext>) => void,
): object {
  context.task = task;
  context.signal = signal;
  context.receiveCount = message.receiveCount;
  context.messageId = message.messageId;
  context.queue = message.queue;
  fill(context);
  return context;
}

/** What the step of a task gives. May throw. */
function serve<Context extends StepContext>(
  task: RemoteTask,
  input: unknown,
  context: Context,
  { steps, around }: Steps<Context>,
): unknown {
  const step = steps.get(task.name);
  if (step === undefined) {
    const served = [...steps.keys()].map((name) => `"${name}"`).join(', ');
    throw new StepFailedError('no_handler', `no handler for step "${task.name}": this worker serves ${served || 'no step'}`);
  }
  return around === undefined
    ? runValidated(task, step, input, context)
    : around(context, async () => runValidated(task, step, input, context));
}

function runValidated<Context extends StepContext>(task: RemoteTask, step: ServedStep<Context>, input: unknown, context: Context): unknown {
  return step.input === undefined && step.output === undefined ? step.run(input, context) : validatedOutput(task, step, input, context);
}

async function validatedOutput<Context extends StepContext>(task: RemoteTask, step: ServedStep<Context>, input: unknown, context: Context) {
  const checkedInput = await validated(step.input, input, 'input', task.name);
  return validated(step.output, await step.run(checkedInput, context), 'output', task.name);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

/**
 * What a step gives. Where it is stopped before, it fails as `lambda_timeout`, retryable, and is sealed: nothing that
 * it still gives, throws or logs goes anywhere.
 *
 * Nobody can end a promise. The step may go on, until its process freezes and beyond; it only must not be heard.
 * @param readable what its error is made into
 */
function outcomeOf(
  running: PromiseLike<unknown>,
  inFlight: StepInFlight,
  logger: StepLogger,
  readable: (thrown: unknown) => Error,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    // A thenable may do its work each time that its `then` is called (query builders do): here it is called once.
    const step = Promise.resolve(running);
    const failed = (thrown: unknown) => reject(readable(thrown));
    step.then(resolve, failed);
    if (!inFlight.stoppable) return;
    inFlight.seal = () => {
      const late = once(() => inFlight.log('warn', 'a step went on after its time; what it did since is dropped'));
      silence(logger, late);
      step.then(late, late);
      failed(new StepFailedError('lambda_timeout', 'the time of the Lambda invocation was over before the step had ended', true));
    };
  });
}

function once(call: () => void): () => void {
  let called = false;
  return () => {
    if (!called) call();
    called = true;
  };
}

/** The result has left with what was logged until now: more lines would only be collected for nobody. */
function silence(logger: StepLogger, late: () => void): void {
  const { subProcess } = logger;
  const silent: StepLogger = {
    debug: late,
    info: late,
    warn: late,
    error: late,
    sub: late,
    subEvent: late,
    // Its body is the step's own work and runs all the same.
    subProcess: (...args) => {
      late();
      return subProcess(...args);
    },
  };
  try {
    Object.assign(logger, silent);
  } catch {
    // The step has frozen its context: what it logs is collected for nobody, then.
  }
}
