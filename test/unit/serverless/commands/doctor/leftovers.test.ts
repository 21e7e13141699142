import { describe, expect, it } from 'vitest';
import { leftovers } from '../../../../../src/serverless/commands/doctor/leftovers.ts';

describe('doctor, on queues that no step of the service has', () => {
  const own = new Set(['shop-tasks-pay', 'shop-parked-pay']);

  it('finds the queue of a removed step that is not empty', () => {
    const [finding] = leftovers([{ name: 'shop-parked-old', messages: 1, mapped: false }], 'shop', own);
    expect(finding).toMatchObject({
      id: 'removed-step-not-empty',
      severity: 'warning',
      why: 'it holds 1 message, and no step of this service has it and no mapping reads it: a removed step, or one that a container works on',
    });
  });

  it('finds tasks of the same step under another prefix', () => {
    const [finding] = leftovers([{ name: 'durable-tasks-pay', messages: 7, mapped: undefined }], 'shop', own);
    expect(finding).toMatchObject({
      id: 'tasks-of-another-prefix',
      why: 'it holds 7 messages for a step of this service, under another prefix than "shop": is an engine set to it?',
    });
  });

  it('passes by what is empty, its own, mapped, or of somebody else', () => {
    const listed = [
      { name: 'shop-tasks-old', messages: 0, mapped: false },
      { name: 'shop-tasks-pay', messages: 5, mapped: false },
      { name: 'shop-tasks-other-service', messages: 5, mapped: true },
      { name: 'durable-tasks-mail', messages: 5, mapped: false },
      { name: 'shop-results', messages: 5, mapped: false },
    ];
    expect(leftovers(listed, 'shop', own)).toEqual([]);
  });
});
