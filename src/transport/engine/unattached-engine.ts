import type { StepResult } from '../../wire/step-result.ts';
import { ResultOrder } from './result-order.ts';
import { TimedTurns } from './timed-turns.ts';

type Handler = (result: StepResult) => Promise<void>;

/** Engines by their handler, which an engine gives to each of its transports. */
const ENGINES = new WeakMap<Handler, UnattachedEngine>();

/** An engine of which nothing is known but its handler: results go by the clock. */
export class UnattachedEngine extends ResultOrder<TimedTurns> {
  constructor(holdMs: number) {
    super(() => new TimedTurns(holdMs));
  }

  /** The engine of a handler: the same one for all transports that serve it. */
  static of(handler: Handler, holdMs: number): UnattachedEngine {
    const engine = ENGINES.get(handler) ?? new UnattachedEngine(holdMs);
    ENGINES.set(handler, engine);
    return engine;
  }
}
