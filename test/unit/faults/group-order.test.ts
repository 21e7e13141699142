import { describe, expect, it } from 'vitest';
import { GroupOrder } from '../../faults/group-order.ts';

describe('the order of a FIFO tasks queue', () => {
  it('is kept by tasks of one run one after another, by a task that comes again, and by runs side by side', () => {
    const order = new GroupOrder();
    order.begins('r:0', 1n);
    order.begins('s:0', 2n);
    order.ends('r:0');
    order.begins('r:0', 1n);
    order.ends('r:0');
    order.begins('r:1', 3n);
    expect(order.violations).toEqual([]);
  });

  it('is broken by two tasks of one run at once', () => {
    const order = new GroupOrder();
    order.begins('r:0', 1n);
    order.begins('r:1', 2n);
    expect(order.violations).toEqual([expect.stringContaining('r:1 was begun while r:0')]);
  });

  it('is broken by a task that begins after one that was sent later', () => {
    const order = new GroupOrder();
    order.begins('r:1', 2n);
    order.ends('r:1');
    order.begins('r:0', 1n);
    expect(order.violations).toEqual([expect.stringContaining('r:0 was begun after')]);
  });
});
