import { NondeterminismError, type WorkflowContext } from '@dudousxd/durable-worker';
import {
  type ChildCallOptions,
  FatalError,
  type StepDispatchOpts,
  type StepLogger,
  type StepOptions,
  stepConfigOf,
  stepNameOf,
  type WorkflowCtx,
} from '@dudousxd/nestjs-durable-core';
import { UnsupportedInWorkflowError } from '../errors.ts';
import { systemTiming } from '../time.ts';

/** What a worker can ask of the engine: the commands of a decision, and what it records itself. */
type Carried = 'runId' | 'step' | 'localStep' | 'sleep' | 'waitForSignal' | 'child' | 'all' | 'now' | 'sideEffect';

/**
 * The other calls of `ctx`, each with the call that does the same. A call that a new engine adds does not compile until
 * it stands here.
 */
const INSTEAD_OF_CALL: Readonly<Record<Exclude<keyof WorkflowCtx, Carried>, string | undefined>> = {
  transaction: 'Write in a step of its own, idempotent by its stepId',
  callEntity: 'Call a step that asks the entity',
  signalEntity: 'Call a step that tells the entity',
  sleepUntil: 'Call ctx.sleep(when - (await ctx.now()))',
  continueAsNew: 'Let the last step start the next run',
  waitForEvent: 'Wait for a signal, and let the publisher send it (engine.signal)',
  task: 'Call a step that begins the task, then ctx.waitForSignal for its end',
  startChild: 'Call ctx.child, or a step that starts the run',
  breakpoint: 'Call ctx.waitForSignal',
  webhook: 'Call ctx.waitForSignal, and let your endpoint send the signal (engine.signal)',
  setEvent: 'Call a step that stores the value where its readers look',
  onUpdate: 'Call ctx.waitForSignal',
  patched: 'Deploy the changed code as a version of its own, beside the old one',
  upsertSearchAttributes: 'Give searchAttributes when the run is started',
};

const CALL_AGAIN = 'Catch the failure and call the step again, after ctx.sleep where it has to wait';
const LIMIT_CONCURRENCY = "Limit the concurrency of the step's function instead";

/** Options of `ctx.step`. The engine dispatches the step once, and the next turn has its result. */
const INSTEAD_OF_STEP_OPTION: Readonly<Record<keyof StepDispatchOpts | 'compensate', string | undefined>> = {
  retries: CALL_AGAIN,
  backoff: CALL_AGAIN,
  backoffMs: CALL_AGAIN,
  backoffMaxMs: CALL_AGAIN,
  jitter: CALL_AGAIN,
  timeoutMs: "Set the timeout of the step's function: a step that reaches it fails with lambda_timeout",
  compensate: 'Catch the failure of what follows and call the step that undoes this one',
  queue: LIMIT_CONCURRENCY,
  priority: LIMIT_CONCURRENCY,
  fairnessKey: LIMIT_CONCURRENCY,
  transport: undefined,
  requires: undefined,
};

/**
 * Options of `ctx.localStep` that the worker cannot keep. It keeps `retries` and the options of their backoff by
 * itself.
 */
const INSTEAD_OF_LOCAL_OPTION: Readonly<Record<'compensate' | 'timeoutMs' | 'requires', string | undefined>> = {
  compensate: 'Catch the failure of what follows and undo this step there',
  timeoutMs: 'End the work yourself when its time is over',
  requires: undefined,
};

const INSTEAD_OF_CHILD_OPTION: Readonly<Record<keyof ChildCallOptions, string | undefined>> = {
  childId: 'Leave it out: the engine names the child "<run id>.child.<position>"',
  priority: 'Leave it out: SQS has no priorities',
};

/** `webhook` is the one call that gives no promise. */
const REFUSED = Object.fromEntries(
  Object.entries(INSTEAD_OF_CALL).map(([call, instead]) => {
    const refuse = () => {
      throw new UnsupportedInWorkflowError(`ctx.${call}()`, instead);
    };
    return [call, call === 'webhook' ? refuse : async () => refuse()];
  }),
);

/** Calls that suspend a run, or record what they did. */
const CALLS = ['step', 'localStep', 'sleep', 'waitForSignal', 'child', 'all', 'gather', 'now', 'sideEffect'] as const;

/**
 * The peer's context of a turn, which refuses what the wire does not carry instead of ignoring it, and retries local
 * steps.
 * @param stopped aborts when the turn is stopped
 * @param mismatched told of a call that does not fit the history, before the code hears of it
 */
export function turnContext(ctx: WorkflowContext, stopped: AbortSignal, mismatched: (error: NondeterminismError) => void): WorkflowContext {
  // The peer's own methods, before they are covered.
  const { step, localStep, sleep, child, all, waitForSignal } = ctx;
  Object.assign(ctx, REFUSED, {
    async step(ref: unknown, input: unknown, options: object | undefined) {
      // A replay of 2,000 steps comes by here 2,000 times.
      if (typeof ref === 'string' && options === undefined) return Reflect.apply(step, ctx, [ref, input]);
      const name = typeof ref === 'string' ? ref : (stepNameOf(ref) ?? 'a function');
      refuseOptions(`ctx.step("${name}")`, { ...stepConfigOf(ref), ...options }, INSTEAD_OF_STEP_OPTION);
      return Reflect.apply(step, ctx, [ref, input]);
    },
    async localStep(name: string, body: LocalBody, options: StepOptions | undefined) {
      if (options === undefined) return Reflect.apply(localStep, ctx, [name, body]);
      refuseOptions(`ctx.localStep("${name}")`, options, INSTEAD_OF_LOCAL_OPTION);
      return Reflect.apply(localStep, ctx, [name, withRetries(body, options, stopped)]);
    },
    async sleep(duration: number | string) {
      // JSON would make null of it, which no engine can read.
      if (typeof duration === 'number' && !Number.isFinite(duration)) {
        throw new TypeError(`ctx.sleep: expected a finite number of milliseconds or a text like "2h", got ${duration}`);
      }
      return Reflect.apply(sleep, ctx, [duration]);
    },
    async all(workflow: string, inputs: unknown[], options: object | undefined) {
      if (options !== undefined) refuseOptions('ctx.all()', options, { priority: INSTEAD_OF_CHILD_OPTION.priority });
      return Reflect.apply(all, ctx, [workflow, inputs, options]);
    },
    async child(workflow: string, input: unknown, options: string | ChildCallOptions | undefined) {
      const given = typeof options === 'string' ? { childId: options } : options;
      if (given !== undefined) refuseOptions('ctx.child()', given, INSTEAD_OF_CHILD_OPTION);
      return Reflect.apply(child, ctx, [workflow, input]);
    },
    async waitForSignal(token: string, options: { readonly timeoutMs?: number } | undefined) {
      if (options !== undefined) refuseOptions(`ctx.waitForSignal("${token}")`, options, { timeoutMs: undefined });
      return Reflect.apply(waitForSignal, ctx, [token]);
    },
  });
  for (const call of CALLS) {
    const made: unknown = Reflect.get(ctx, call);
    if (typeof made !== 'function') continue;
    Reflect.set(ctx, call, (...args: unknown[]) => {
      const called: Promise<unknown> = Reflect.apply(made, ctx, args);
      // Of a call that is not awaited, too: its rejection would end the process, with all the turns of the batch.
      called.catch((error: unknown) => {
        if (error instanceof NondeterminismError) mismatched(error);
      });
      return called;
    });
  }
  return ctx;
}

/** @param notCarried with what does the same, where there is something */
function refuseOptions(call: string, given: object, notCarried: Readonly<Record<string, string | undefined>>): void {
  const refused = Object.keys(notCarried).filter((option) => Reflect.get(given, option) !== undefined);
  if (refused.length === 0) return;
  const instead = [...new Set(refused.flatMap((option) => notCarried[option] ?? []))];
  throw new UnsupportedInWorkflowError(`${call} with ${refused.join(', ')}`, instead.length === 0 ? undefined : instead.join('. '));
}

type LocalBody = (log: StepLogger) => unknown;
type Retries = Pick<StepOptions, 'retries' | 'backoff' | 'backoffMs' | 'backoffMaxMs' | 'jitter'>;

/**
 * A local step with the retries that the engine gives one in its own process: within the turn, and none after a
 * `FatalError`. The turn waits for them, so its function is billed for the backoff.
 */
function withRetries(body: LocalBody, options: Retries, stopped: AbortSignal): LocalBody {
  return async (log) => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await body(log);
      } catch (error) {
        if (error instanceof FatalError || attempt >= (options.retries ?? 1)) throw error;
        await systemTiming.sleep(delayMs(attempt, options), stopped);
        // The turn runs again from its beginning.
        if (stopped.aborted) throw error;
      }
    }
  };
}

/** The engine's own formula (`backoffDelay`), which it does not export. */
function delayMs(attempt: number, { backoff, backoffMs = 0, backoffMaxMs, jitter }: Retries): number {
  const grown = backoff === 'exp' ? backoffMs * 2 ** (attempt - 1) : backoffMs;
  const capped = backoffMaxMs ? Math.min(grown, backoffMaxMs) : grown;
  return jitter ? Math.round(capped * (0.5 + systemTiming.random() * 0.5)) : capped;
}
