import type { StateStore } from '@dudousxd/nestjs-durable-core';
import { ConfigurationError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { Sender } from '../sqs/sender.ts';
import type { ResultSender } from '../sqs/sqs-api.ts';
import { systemTiming } from '../time.ts';
import { type AttachableEngine, isPollable, type PollableEngine } from '../transport/engine/attachable-engine.ts';
import { AttachedEngine } from '../transport/engine/attached-engine.ts';
import { isStore } from '../transport/engine/engine-store.ts';
import { replaceStore } from '../transport/engine/replace-store.ts';
import { MessageStarts } from '../transport/starts/message-starts.ts';
import { kindOf } from '../wire/json.ts';
import { isRecord } from '../wire/shape.ts';
import { countedStore } from './counted-store.ts';
import { type ReadEngineOptions, WHERE } from './engine-options.ts';
import { FunctionTransport } from './function-transport.ts';
import { logRunEnds } from './log-run-ends.ts';
import { OpenWork } from './open-work.ts';
import { RecordIntake } from './record-intake.ts';
import { WakeUps } from './wake-ups.ts';

/** What a function needs of an engine; a `WorkflowEngine` has it. */
export interface FunctionEngine extends AttachableEngine, PollableEngine {
  signal(token: string, payload: unknown): Promise<unknown>;
  runOne(runId: string): Promise<unknown>;
  cancel(runId: string, options?: { readonly compensate?: boolean }): Promise<unknown>;
}

/** An engine, and what a tick does besides: schedules, steps whose task was lost, old runs. */
export interface EngineWithTick {
  readonly engine: FunctionEngine;
  /**
   * Called in every tick after the engine's passes, as part of its work. Rejects: the tick has failed, and the next one
   * tries again.
   */
  readonly onTick: () => Promise<unknown>;
}

/** Makes the engine of an environment, with the transport that it is given. */
export type OpenEngine = (transport: FunctionTransport) => FunctionEngine | EngineWithTick | Promise<FunctionEngine | EngineWithTick>;

export interface EnvironmentOptions extends ReadEngineOptions {
  readonly api: ResultSender;
  readonly onFailure: (error: unknown, queueUrl: string | undefined) => void;
  readonly logger: Logger;
}

/** One engine in one environment of a Lambda function, from the first invocation to the end of its process. */
export interface EngineEnvironment {
  readonly engine: FunctionEngine;
  readonly attached: AttachedEngine;
  /** The engine's own store: calls of it are part of no work. */
  readonly store: StateStore;
  readonly onTick: () => Promise<unknown>;
  readonly intake: RecordIntake;
  /**
   * One for each invocation: in one that was abandoned, a start may hang, and later ones of its run would wait for it.
   */
  readonly newStarts: () => MessageStarts;
}

/**
 * Opens the engine, and has every call of its store and transport and every turn counted as part of the work that makes
 * it.
 * @throws ConfigurationError for what is no engine of core, or was made with another transport; else whatever `open`
 * throws.
 */
export async function openEnvironment(open: OpenEngine, options: EnvironmentOptions): Promise<EngineEnvironment> {
  const { api, prefix, marker, payloadStore, onFailure, logger } = options;
  const transport = new FunctionTransport(options);
  const opened = await open(transport);
  const engine = checkedEngine(isWithTick(opened) ? opened.engine : opened);
  const { resultHandler } = transport;
  if (resultHandler === undefined) {
    throw new ConfigurationError(`${WHERE}: expected an engine made with the transport that the function was given, got one with another`);
  }
  const store: unknown = Reflect.get(engine, 'store');
  if (!isStore(store)) throw new ConfigurationError(`${WHERE}: expected an engine with a store, got one without`);
  const wakeUps = new WakeUps({ api, sender: new Sender(api), prefix, onFailure, logger, timing: systemTiming });
  replaceStore(engine, store, countedStore(store, wakeUps.saved));
  const attached = AttachedEngine.attach(engine, logger);
  countTurns(engine, attached);
  beginAtOnce(engine);
  if (options.remoteRedispatchMs !== undefined) Reflect.set(engine, 'remoteRedispatchMs', options.remoteRedispatchMs);
  logRunEnds(engine, logger);
  transport.engine = attached;
  const intake = new RecordIntake({
    marker,
    payloadStore,
    session: { engine: countResults(attached) },
    handler: resultHandler,
    decisionHandler: (decision) => transport.decided(decision),
    maxHoldMs: Number.POSITIVE_INFINITY,
    onError: onFailure,
    logger,
    timing: systemTiming,
  });
  const handler = transport.startHandler ?? noStarts;
  const newStarts = () => new MessageStarts({ handler, payloadStore, logger, onError: (error) => onFailure(error, undefined) });
  const onTick = isWithTick(opened) ? opened.onTick : async () => undefined;
  return { engine, attached, store, onTick, intake, newStarts };
}

async function noStarts(): Promise<never> {
  throw new ConfigurationError(`${WHERE}: this engine takes no starts by message`);
}

function isWithTick(opened: FunctionEngine | EngineWithTick): opened is EngineWithTick {
  return isRecord(opened) && 'engine' in opened && typeof opened.onTick === 'function';
}

function checkedEngine(engine: FunctionEngine): FunctionEngine {
  const given: unknown = engine;
  const isOne = typeof given === 'object' && given !== null && isPollable(engine) && typeof engine.signal === 'function';
  if (!isOne) throw new ConfigurationError(`${WHERE}: expected the function to give a WorkflowEngine, got ${kindOf(given)}`);
  // A module that polls has listened since its start, and has begun a pass then. Its timer would fire in the midst of
  // an invocation of other runs, and what it begins would be frozen with the end of that.
  const listeners: unknown = Reflect.get(engine, 'enqueuedListeners');
  if (listeners instanceof Set && listeners.size > 0) {
    throw new ConfigurationError(
      `${WHERE}: expected an engine that nothing drives but this function, got one whose module polls. ` +
        'With NestJS give DurableModule.forRoot the option drive: false',
    );
  }
  if ('reconcileMs' in engine && engine.reconcileMs === undefined) {
    throw new ConfigurationError(
      `${WHERE}: expected an engine with reconcileMs, got one with reconcileMs: 0. A run whose environment was killed is found by it: ` +
        'leave it out for 5 minutes, or give fewer',
    );
  }
  return engine;
}

/** The engine, with each result and decision noted as the beginning of a turn. */
function countResults(attached: AttachedEngine): Pick<AttachedEngine, 'give' | 'decide' | 'withdraw' | 'storeAnswers'> {
  return {
    give(received) {
      OpenWork.current()?.begins(received.result.runId);
      return attached.give(received);
    },
    decide(received) {
      OpenWork.current()?.begins(received.decision.runId);
      return attached.decide(received);
    },
    withdraw: (source) => attached.withdraw(source),
    storeAnswers: (source) => attached.storeAnswers(source),
  };
}

/**
 * A turn is open until it ends, and so is one that is due: in a step of its own code, a workflow asks neither store nor
 * transport. And a cancel is open until it lasts.
 */
function countTurns(engine: FunctionEngine, attached: AttachedEngine): void {
  const resume = engine.resume.bind(engine);
  engine.resume = (runId) => {
    const work = OpenWork.current();
    if (work === undefined) return resume(runId);
    work.begins(runId);
    const turn = OpenWork.turn(() => resume(runId));
    // Another environment holds the run for longer than a lease: its record will be redelivered, or the tick comes by.
    void OpenWork.turn(() => attached.settled(runId)).catch(() => undefined);
    return turn;
  };
  const { cancel } = engine;
  engine.cancel = (runId, given) => {
    const cancelled = OpenWork.turn(() => cancel.call(engine, runId, given));
    // It answers sooner where a turn of the run goes on elsewhere.
    void OpenWork.turn(() => cancelled.then(() => attached.cancelLasts(runId))).catch(() => undefined);
    return cancelled;
  };
}

/**
 * A run that is started begins at once, also where the engine was told to leave that to a poller (`drive: false` of the
 * NestJS module).
 */
function beginAtOnce(engine: FunctionEngine): void {
  const dispatch = (runId: string) => {
    // What fails here is begun by the tick: the run is pending.
    queueMicrotask(() => void engine.runOne(runId).catch(() => undefined));
  };
  Reflect.set(engine, 'runDispatcher', { dispatch });
}
