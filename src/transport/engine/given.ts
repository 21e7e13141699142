import type { WorkflowDecision } from '@dudousxd/nestjs-durable-core';
import type { StepResult } from '../../wire/step-result.ts';
import type { StepIds, Turns } from './turns.ts';

/** Who receives results: one transport. Transports that serve the same engine share its order. */
export interface ResultSource {
  /** The engine's handler. Its promise covers the whole turn that the result begins. */
  readonly handler: (result: StepResult) => Promise<void>;
  /** The engine's handler of decisions. Its promise covers what the decision has it dispatch. */
  readonly decisionHandler: (decision: WorkflowDecision) => Promise<void>;
  /** Whatever is known of turns, no result is held longer than this, by its own count. */
  readonly maxHoldMs: number;
  /** What is still held is to be given back, and what comes to be refused. */
  readonly closed: boolean;
}

/** A message for a run as SQS delivered it: the result of a step, or the decision of a turn. */
interface Received {
  readonly source: ResultSource;
  /** When SQS accepted it, epoch milliseconds; 0 for long ago. */
  readonly sentAt: number;
  readonly receiveCount: number;
  /** Deletes the message although its turn goes on, where its queue shuts the run's message group until then. */
  readonly deleteEarly?: (() => void) | undefined;
}

export interface ReceivedResult extends Received {
  readonly result: StepResult;
}

export interface ReceivedDecision extends Received {
  readonly decision: WorkflowDecision;
}

/** A message on its way to the engine, until the turn that it begins has ended. */
export interface Given extends Received {
  readonly ids: StepIds;
  /** Its step was dispatched by this process. */
  readonly own: boolean;
  /** The engine has saved it: it no longer needs the message. */
  recorded: boolean;
  /** A turn of the run has ended since. */
  turnEnded: boolean;
}

export type GivenResult = Given & ReceivedResult;
export type GivenDecision = Given & ReceivedDecision;

export interface Arrived {
  readonly given: Given;
  /** Not before this, by the steady clock, where another instance may have dispatched its step. */
  readonly notBefore: number;
  /** By the steady clock. */
  readonly cameAt: number;
}

export interface Held extends Arrived {
  /** Its time has come. */
  readonly go: () => void;
  readonly giveUp: (error: Error) => void;
}

/** What is going on for one run; exists only while something is. */
export interface Run<T extends Turns> {
  readonly id: string;
  readonly turns: T;
  /** In the order they came. */
  readonly held: Held[];
  /** Mostly one; two where the first one took longer than the second may be held. */
  readonly given: Set<Given>;
  /** When the latest of them was given, by the steady clock. */
  givenAt: number;
  timer: NodeJS.Timeout | undefined;
  /** When the timer fires, by the steady clock; infinite where there is none. */
  timerAt: number;
}
