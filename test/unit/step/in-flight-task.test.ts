import { describe, expect, it, vi } from 'vitest';
import { inFlightTask } from '../../support/in-flight-tasks.ts';

const inFlight = () => inFlightTask(true).inFlight;
const reason = new Error('time is up');

describe('a task in flight', () => {
  it('stops only while it runs: a listener that it left behind hears of no other task', () => {
    const task = inFlight();
    const undo = vi.fn();
    task.signal.addEventListener('abort', undo);
    task.stop(reason);
    task.begin();
    task.end();
    task.stop(reason);
    expect(undo).not.toHaveBeenCalled();
    expect(task.stopReason).toBeUndefined();
  });

  it('tells its reason and is stopped once', () => {
    const task = inFlight();
    const seal = vi.fn();
    task.begin();
    task.seal = seal;
    task.stop(reason);
    task.stop(new Error('again'));
    expect(task.signal.reason).toBe(reason);
    expect(task.stopReason).toBe(reason);
    expect(seal).toHaveBeenCalledTimes(1);
  });

  it('shares its signal with no other', () => {
    const [one, other] = [inFlight(), inFlight()];
    one.begin();
    one.stop(reason);
    expect(other.signal.aborted).toBe(false);
  });
});
