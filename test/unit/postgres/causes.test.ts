import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withCauses } from '../../postgres/serverless/causes.ts';

const T0 = 1_795_968_000_000;
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'causes-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The cause of a step that ran twice, by what the environments noted: milliseconds, environment, what. */
function causeOf(step: string, notes: readonly (readonly [at: number, environment: string, what: string])[], killedAt?: number) {
  const trace = join(folder, 'trace');
  writeFileSync(trace, notes.map(([at, environment, what]) => `${T0 + at} ${environment} ${what}`).join('\n'));
  const kill = { environment: 'environment-1', startedAt: T0, at: T0 + (killedAt ?? 0), runIds: [] };
  const findings = [{ wrong: 'twice', id: `run:${step} 1`, what: 'after 8000 ms' } as const];
  return withCauses(findings, killedAt === undefined ? [] : [kill], () => T0, trace)[0]?.cause;
}

const sent = (at: number, step: string) =>
  [
    [at, 'environment-2', `run ${step} compensate:work pending saveCheckpoint (5 ms)`],
    [at + 4, 'environment-2', `run event step.started ${step}`],
  ] as const;

describe('a step that ran twice', () => {
  it('counts as sent again by its deadline, where the engine saved it once more and told of no start', () => {
    const again = [8_000, 'environment-3', 'run 0 work pending saveCheckpoint (5 ms)'] as const;
    expect(causeOf('0', [...sent(0, '0'), again])).toBe('it was sent again by remoteRedispatchMs, as its result came');
  });

  it('counts as sent again by its deadline, where it is an undo that was saved once more when that had passed', () => {
    expect(causeOf('-1', [...sent(0, '-1'), ...sent(8_000, '-1')])).toBe('it was sent again by remoteRedispatchMs, as its result came');
  });

  it.each([
    ['a step was dispatched twice', '0', [...sent(0, '0'), ...sent(8_000, '0')]],
    ['an undo was dispatched twice before its deadline', '-1', [...sent(0, '-1'), ...sent(3_000, '-1')]],
    ['a step was saved once', '0', sent(0, '0')],
  ])('has no cause where %s', (_what, step, notes) => {
    expect(causeOf(step, notes)).toBeUndefined();
  });

  it('met the death of an environment in an invocation of its run', () => {
    expect(causeOf('0', [[10, 'environment-1', 'run tryLockRun -> true (1 ms)']], 20)).toBe(
      'environment-1 was killed in an invocation of its run',
    );
  });
});
