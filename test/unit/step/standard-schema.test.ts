import { describe, expect, it } from 'vitest';
import { type StandardSchemaV1, validated } from '../../../src/step/standard-schema.ts';

/** A schema of somebody’s own that finds these issues. */
function finding(issues: readonly StandardSchemaV1.Issue[]): StandardSchemaV1 {
  return { '~standard': { version: 1, vendor: 'test', validate: () => ({ issues }) } };
}

describe('validated', () => {
  it('gives the value itself where there is no schema', async () => {
    const value = { a: 1 };
    expect(await validated(undefined, value, 'input', 's')).toBe(value);
  });

  it.each<[string, StandardSchemaV1.Issue['path'], string]>([
    ['none', undefined, '(root)'],
    ['empty', [], '(root)'],
    ['keys', ['order', 'id'], 'order.id'],
    ['an index', ['lines', 2, 'sku'], 'lines[2].sku'],
    ['an index first', [0, 'sku'], '[0].sku'],
    ['segments', [{ key: 'order' }, { key: 3 }], 'order[3]'],
    ['a symbol', ['a', Symbol('s')], 'a.Symbol(s)'],
  ])('writes a path of %s', async (_what, path, text) => {
    const schema = finding([path === undefined ? { message: 'wrong' } : { message: 'wrong', path }]);
    await expect(validated(schema, {}, 'output', 's')).rejects.toMatchObject({
      name: 'StepFailedError',
      code: 'invalid_output',
      retryable: false,
      message: `output of step "s" does not match its schema: ${text}: wrong`,
    });
  });

  it('fails where a schema finds issues but lists none', async () => {
    await expect(validated(finding([]), {}, 'input', 's')).rejects.toMatchObject({ code: 'invalid_input' });
  });
});
