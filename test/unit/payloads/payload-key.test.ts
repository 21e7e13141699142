import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { payloadKey, subjectOfKey } from '../../../src/payloads/payload-key.ts';
import { anyId } from '../../support/json-arbitraries.ts';

const UUID = '4c7f1c6e-8f0e-4d3b-9c43-0d2f7a6b1e55';
const subject = { kind: 'task' as const, runId: 'order/7', stepId: 'order/7:3', seq: 3 };

const subjects = fc.record({
  kind: fc.constantFrom('task' as const, 'result' as const),
  runId: fc.oneof(anyId, fc.constantFrom('.', '..', '~', 'a~', '%', 'task', '-', '5'), fc.string({ minLength: 300, maxLength: 900 })),
  stepId: fc.oneof(anyId, fc.constantFrom('.', '..', '~', 'a~', '%', 'task', '-', '5')),
  seq: fc.oneof(fc.integer(), fc.constantFrom(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 0)),
});
const prefixes = fc.constantFrom('', 'durable/', 'task/', 'result/a/task/b/', 'a'.repeat(200));

describe('payloadKey', () => {
  it('lays ids out as folders below the prefix, escaped', () => {
    expect(payloadKey(subject, UUID, 'durable/')).toBe(`durable/task/order%2F7/order%2F7%3A3/3/${UUID}`);
  });

  it('leaves a dash where there is no seq', () => {
    const { seq: _seq, ...rest } = subject;
    expect(payloadKey(rest, UUID)).toBe(`task/order%2F7/order%2F7%3A3/-/${UUID}`);
    expect(subjectOfKey(payloadKey(rest, UUID))).toBeUndefined();
  });

  it('always gives a key that S3 takes: ASCII, no segment of periods, 1,024 bytes', () => {
    return fc.assert(
      fc.property(subjects, prefixes, (about, prefix) => {
        const key = payloadKey(about, UUID, prefix);
        expect(key).toMatch(/^[\x21-\x7e]{1,1024}$/);
        expect(key.split('/')).not.toContain('.');
        expect(key.split('/')).not.toContain('..');
        expect(key.startsWith(`${prefix}${about.kind}/`) && key.endsWith(`/${UUID}`)).toBe(true);
      }),
    );
  });
});

describe('subjectOfKey', () => {
  it('gives back what the key was made of, or nothing; never another subject', () => {
    return fc.assert(
      fc.property(subjects, prefixes, (about, prefix) => {
        const found = subjectOfKey(payloadKey(about, UUID, prefix));
        const whole = about.runId.isWellFormed() && about.stepId.isWellFormed() && about.runId.length + about.stepId.length < 90;
        if (whole || found !== undefined) expect(found).toEqual(about);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['of the Java extended client', UUID],
    ['of another layout', `durable/task/run/step/${UUID}`],
    ['with a seq that is none', `task/run/step/3.5/${UUID}`],
    ['with a seq beyond what a number holds', `task/run/step/9999999999999999/${UUID}`],
    ['of another kind', `parcel/run/step/3/${UUID}`],
    ['with a broken escape', `task/%E0%A4%A/step/3/${UUID}`],
    ['that is empty', ''],
  ])('knows nothing of a key %s', (_what, key) => {
    expect(subjectOfKey(key)).toBeUndefined();
  });

  it('knows nothing of a key whose ids were cut, and does not take the cut id for the id', () => {
    expect(subjectOfKey(payloadKey({ ...subject, runId: 'é'.repeat(600) }, UUID))).toBeUndefined();
    expect(subjectOfKey(payloadKey({ ...subject, runId: 'half \uD83D' }, UUID))).toBeUndefined();
  });
});
