import type { EngineEvent, EngineEventType, WorkflowRun } from '@dudousxd/nestjs-durable-core';
import { ConfigurationError } from '../../errors.ts';
import { kindOf } from '../../wire/json.ts';
import { isRecord } from '../../wire/shape.ts';

/** What `attach` needs of an engine; a `WorkflowEngine` has it. */
export interface AttachableEngine {
  subscribe(listener: (event: EngineEvent) => void): () => void;
  getRun(
    runId: string,
  ): Promise<Pick<WorkflowRun, 'status' | 'namespace' | 'awaitingDecisionTaskId' | 'wakeAt' | 'output' | 'error'> | null>;
  resume(runId: string): Promise<unknown>;
  signal?(token: string, payload: unknown): Promise<unknown>;
  redispatchPending?(runId: string): Promise<unknown>;
}

/** What `attach` with `poll` needs besides: the engine's passes over its runs. */
export interface PollableEngine {
  runPending(): Promise<unknown>;
  recoverIncomplete(): Promise<unknown>;
  resumeDueTimers(): Promise<unknown>;
  sweepTimeouts(): Promise<unknown>;
}

const PASSES = ['runPending', 'recoverIncomplete', 'resumeDueTimers', 'sweepTimeouts'] as const satisfies readonly (keyof PollableEngine)[];

export function isPollable(engine: AttachableEngine): engine is AttachableEngine & PollableEngine {
  return PASSES.every((method) => typeof Reflect.get(engine, method) === 'function');
}

const METHODS = ['subscribe', 'getRun', 'resume'] as const satisfies readonly (keyof AttachableEngine)[];
const SUPPORTED = '@dudousxd/nestjs-durable-core >=0.62.0 <1.0.0';

/** @throws ConfigurationError for what is no engine, or one of another make: says what it lacks. */
export function checkEngine(engine: unknown): void {
  const missing = METHODS.filter((method) => typeof Reflect.get(Object(engine), method) !== 'function');
  if (missing.length === 0) return;
  const isOne = isRecord(engine) && missing.length < METHODS.length;
  const got = isOne ? `one without ${missing.join(' and ')}` : kindOf(engine);
  throw new ConfigurationError(`SqsTransport.attach: expected the WorkflowEngine of ${SUPPORTED}, got ${got}`);
}

/**
 * The events that tell of turns. Of each list an engine tells one for every step that it dispatches and whose result it
 * accepts.
 */
const EXPECTED: readonly (readonly EngineEventType[])[] = [
  ['step.started'],
  ['step.completed', 'step.failed'],
  ['run.suspended', 'run.completed', 'run.failed', 'run.blocked'],
];
/** The first results of a process may be of cancelled runs, which the engine drops without an event. */
const RESULTS_UNTIL_MISSED = 10;

/** Finds out once whether an engine tells the events that the order of results rests on. */
export class ExpectedEvents {
  readonly #heard = new Set<EngineEventType>();
  #results = 0;
  /** Everything was heard, or what is missing was told. */
  isDone = false;

  heard(type: EngineEventType): void {
    this.#heard.add(type);
  }

  /**
   * The engine has accepted the result of a step that this process has dispatched.
   * @returns what it should have told by now and has not, once
   */
  accepted(): string | undefined {
    this.#results += 1;
    const missing = EXPECTED.filter((types) => !types.some((type) => this.#heard.has(type)));
    if (missing.length > 0 && this.#results < RESULTS_UNTIL_MISSED) return undefined;
    this.isDone = true;
    if (missing.length === 0) return undefined;
    const names = missing.map((types) => types.join(' or ')).join(', ');
    return `the attached engine does not tell of ${names}, so results are ordered by resultHoldMs only. Expected the WorkflowEngine of ${SUPPORTED}`;
  }
}
