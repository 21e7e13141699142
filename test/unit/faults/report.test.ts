import { expect, it } from 'vitest';
import { FAULTS } from '../../faults/fault-plan.ts';
import { LambdaFleet, MOMENTS } from '../../faults/lambda-fleet.ts';
import { Ledger, MISHAPS } from '../../faults/ledger.ts';
import { unseen } from '../../faults/report.ts';

function scenario() {
  const ledger = new Ledger();
  const options = { resultsQueueUrl: '', clientConfig: () => ({}), kill: () => undefined, random: () => 0 };
  const fleet = new LambdaFleet({ ...options, ledger, killRate: 0, cutOffRate: 0, timeoutMs: 1 });
  return { ledger, fleet };
}

it('a fault that met none of the scenarios is a violation', () => {
  const [one, two] = [scenario(), scenario()];
  expect(unseen([one, two])).toHaveLength(FAULTS.length + MISHAPS.length + MOMENTS.length + 1);
  for (const fault of FAULTS) one.ledger.fault(fault);
  for (const mishap of MISHAPS) two.ledger.mishap(mishap);
  for (const moment of MOMENTS.slice(1)) two.fleet.kills.set(moment, 1);
  one.fleet.cutOffs = 1;
  expect(unseen([one, two])).toEqual(['no function process was killed before a step']);
});
