import { type StartedRun, startRun } from '../../src/client/index.ts';

interface Order {
  readonly orderId: string;
}

const order: Order = { orderId: 'o-1' };
export const started: Promise<StartedRun> = startRun({ workflow: 'checkout', input: order });
export const typed: Promise<StartedRun> = startRun<Order>({
  workflow: 'checkout',
  input: order,
  tags: ['web'],
  searchAttributes: { vip: true },
});

// @ts-expect-error a run has a workflow
void startRun({ input: order });
// @ts-expect-error an input of another type
void startRun<Order>({ workflow: 'checkout', input: { orderId: 4 } });
// @ts-expect-error search attributes are flat
void startRun({ workflow: 'checkout', searchAttributes: { address: { city: 'Bern' } } });
