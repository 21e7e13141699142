import { describe, expect, it } from 'vitest';
import { TakenSignals } from '../../faults/taken-signals.ts';
import { signalOf } from '../../faults/turn-functions.ts';

describe('the book of taken signals', () => {
  const isDead = (caller: string) => caller === 'dead';

  it('knows a signal that was taken by an engine that died, until it is saved', () => {
    const signals = new TakenSignals();
    signals.taken(signalOf('run'), 1, 'dead');
    signals.taken(signalOf('other'), 2, 'alive');
    expect(signals.lostOf('run', isDead)).toEqual({ token: signalOf('run'), payload: 1 });
    expect(signals.lostOf('other', isDead)).toBeUndefined();
    signals.saved(`signal:${signalOf('run')}`);
    expect(signals.lostOf('run', isDead)).toBeUndefined();
  });
});
