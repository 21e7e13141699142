import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { messageGroupOfRun } from '../../../src/topology/message-group.ts';

describe('the message group of a run', () => {
  it('the group is the run id where SQS takes it', () => {
    expect(messageGroupOfRun('order-1:0/~!')).toBe('order-1:0/~!');
    expect(messageGroupOfRun('x'.repeat(128))).toBe('x'.repeat(128));
  });

  it.each(['x'.repeat(129), 'with space', 'ü', '', '🎉'])('the group is a hash of %j', (runId) => {
    expect(messageGroupOfRun(runId)).toMatch(/^run-[0-9a-f]{64}$/);
  });

  it('two runs never share a group', () => {
    expect(messageGroupOfRun(messageGroupOfRun('with space'))).not.toBe(messageGroupOfRun('with space'));
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (one, other) => {
        fc.pre(one !== other && one.isWellFormed() && other.isWellFormed());
        expect(messageGroupOfRun(one)).not.toBe(messageGroupOfRun(other));
      }),
    );
  });
});
