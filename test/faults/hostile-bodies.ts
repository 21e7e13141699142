import fc from 'fast-check';
import { decodeRemoteTask, encodeRemoteTask } from '../../src/wire/remote-task.ts';
import { decodeStepResult, encodeStepResult } from '../../src/wire/step-result.ts';

/**
 * Bodies for queues, each with the verdict of the decoder: `poison` must be left to the redrive policy, the rest must
 * be dealt with.
 */
export interface HostileBodies {
  readonly tasks: readonly string[];
  readonly results: readonly string[];
}

/** What SQS refuses in a body, and the embedded server, which refuses surrogates too. */
const REFUSED = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD]/g;

const task = { runId: 'hostile-run', seq: 7, name: 'faults.work', stepId: 'hostile-run:7', group: 'faults.work', input: {}, attempt: 1 };
const result = { runId: 'hostile-run', seq: 7, stepId: 'hostile-run:7', status: 'completed', output: { stamp: 'forged' } };
/** Values that break careless code: wrong types, prototypes, numbers that are none, deep and empty things. */
const VALUES: readonly unknown[] = [
  null,
  '',
  'text',
  0,
  -1,
  1.5,
  1e308,
  true,
  [],
  {},
  [[[[[]]]]],
  { __proto__: null },
  { toString: 1 },
  { length: -1 },
  '__proto__',
  'constructor',
];
const DEEP = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;

/**
 * The same bodies for the same seed: free text, free JSON, cut JSON, and tasks and results with a field that is
 * missing, foreign or of another type.
 */
export function hostileBodies(count: number, seed: number): HostileBodies {
  const bodies = (valid: Readonly<Record<string, unknown>>) =>
    fc.oneof(
      fc.string({ minLength: 1, maxLength: 200, unit: 'binary' }),
      fc.json(),
      fc.constantFrom('null', '{}', '[]', '""', '0', 'NaN', '{"runId":', '\t', '{"__proto__":{"runId":"x"}}', DEEP),
      fc
        .tuple(fc.constantFrom(...Object.keys(valid)), fc.constantFrom(...VALUES))
        .map(([field, value]) => JSON.stringify({ ...valid, [field]: value })),
      fc.constantFrom(...Object.keys(valid)).map((field) => JSON.stringify({ ...valid, [field]: undefined })),
      fc.nat({ max: 60 }).map((length) => JSON.stringify(valid).slice(0, length + 1)),
      fc.dictionary(fc.string(), fc.jsonValue()).map((fields) => JSON.stringify({ ...valid, ...fields })),
    );
  const sample = (valid: Readonly<Record<string, unknown>>, numRuns: number, offset: number) =>
    fc
      .sample(bodies(valid), { numRuns: numRuns * 2, seed: seed + offset })
      .map((body) => body.replace(REFUSED, '?'))
      .filter((body) => body.length > 0)
      .slice(0, numRuns);
  return { tasks: sample(task, Math.ceil(count / 2), 0), results: sample(result, Math.floor(count / 2), 1) };
}

export function isPoisonTask(body: string): boolean {
  return throws(() => encodeRemoteTask(decodeRemoteTask(body)));
}

export function isPoisonResult(body: string): boolean {
  return throws(() => encodeStepResult(decodeStepResult(body)));
}

function throws(act: () => unknown): boolean {
  try {
    act();
    return false;
  } catch {
    return true;
  }
}
