import { beforeAll, describe, expect, it } from 'vitest';
import { InvalidMessageError } from '../../src/errors.ts';
import { decodeRemoteTask, encodeRemoteTask } from '../../src/wire/remote-task.ts';
import { decodeStepResult } from '../../src/wire/step-result.ts';
import { taskFor } from '../support/sqs-records.ts';
import { wireFixture } from '../support/wire-fixtures.ts';
import { requirePython, runPython } from './python.ts';

beforeAll(requirePython);

/** What Python answers to bodies, in their order. */
async function answersTo(bodies: readonly string[]): Promise<string[]> {
  const answers: unknown = JSON.parse(await runPython('wire.py', [], { PATH: process.env['PATH'] }, JSON.stringify(bodies)));
  if (!Array.isArray(answers)) throw new Error('expected a list of bodies');
  return answers.map(String);
}

describe('the golden tasks', () => {
  it('mean the same to Python as to us, and we read its answers', async () => {
    const names = ['task-minimal', 'task-full', 'task-python-nulls', 'task-compensation', 'task-unknown-fields'];
    const bodies = names.map(wireFixture);
    const results = (await answersTo(bodies)).map(decodeStepResult);
    expect(results).toEqual(
      bodies.map(decodeRemoteTask).map(({ runId, seq, stepId, input, context = null }) => ({
        runId,
        seq,
        stepId,
        status: 'completed',
        output: { input, context },
        startedAt: expect.any(Number),
      })),
    );
  });
});

describe('a task that we write', () => {
  it('comes back from Python as it was, whatever text and numbers are in it', async () => {
    const inputs = [
      null,
      '',
      'naïve 日本 😀 \u2028 "\\ \u0000 \u001f \u007f',
      '\uFFFE\uFFFF\uFFFD',
      '\uD83D and \uDE00',
      [0, -1, 1.5, 1e21, 5e-324, Number.MAX_SAFE_INTEGER],
      JSON.parse('{"__proto__":{"a":1},"":[{}],"constructor":null}'),
    ];
    const bodies = inputs.map((input, seq) => encodeRemoteTask(taskFor({ seq, name: 'echo', input })));
    const results = (await answersTo(bodies)).map(decodeStepResult);
    expect(results.map(({ output }) => JSON.stringify(output))).toEqual(inputs.map((input) => JSON.stringify({ input, context: null })));
  });
});

describe('known limits', () => {
  it('NaN of a Python step is no JSON: the result is refused as malformed', async () => {
    const [answer = ''] = await answersTo([encodeRemoteTask(taskFor({ name: 'py_nan' }))]);
    expect(answer).toContain('NaN');
    expect(() => decodeStepResult(answer)).toThrow(InvalidMessageError);
  });
});
