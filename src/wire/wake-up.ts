import { encodeJson } from './json.ts';
import { number, oneOf, parseShape, type Rules, text } from './shape.ts';

/** Engine → itself, delayed by SQS: a wait of this run is over. Any engine on the store may act on it. */
export interface WakeUp {
  readonly kind: 'wake-up';
  readonly runId: string;
  /** Epoch milliseconds. */
  readonly wakeAt: number;
}

const RULES: Rules<WakeUp> = { kind: oneOf('wake-up'), runId: text, wakeAt: number };

/** @throws InvalidMessageError */
export function decodeWakeUp(body: string): WakeUp {
  return parseShape('WakeUp', body, RULES);
}

export function encodeWakeUp(runId: string, wakeAt: number): string {
  const wakeUp: WakeUp = { kind: 'wake-up', runId, wakeAt };
  return encodeJson(wakeUp);
}
