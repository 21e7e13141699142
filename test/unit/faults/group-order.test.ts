import { describe, expect, it } from 'vitest';
import { GroupOrder } from '../../faults/group-order.ts';

describe('the order of a FIFO tasks queue', () => {
  it('holds for tasks of one run one after another, for a task that is redelivered, and for runs side by side', () => {
    const order = new GroupOrder();
    order.begins('r:0', 1n);
    order.begins('s:0', 2n);
    order.ends('r:0');
    order.begins('r:0', 1n);
    order.ends('r:0');
    order.begins('r:1', 3n);
    expect(order.violations).toEqual([]);
  });

  it('breaks when two tasks of one run run at once', () => {
    const order = new GroupOrder();
    order.begins('r:0', 1n);
    order.begins('r:1', 2n);
    expect(order.violations).toEqual([expect.stringContaining('r:1 was begun while r:0')]);
  });

  it('breaks when a task begins after one that was sent later', () => {
    const order = new GroupOrder();
    order.begins('r:1', 2n);
    order.ends('r:1');
    order.begins('r:0', 1n);
    expect(order.violations).toEqual([expect.stringContaining('r:0 was begun after')]);
  });
});
