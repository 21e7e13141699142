import type { StandardSchemaV1 } from '@dudousxd/nestjs-durable-core';
import { StepFailedError } from '../errors.ts';

export type { StandardSchemaV1 };

/** More than this says nothing new about what is wrong with the data. */
const MAX_ISSUES_SHOWN = 10;

/**
 * Gives the value as its schema parsed it.
 * @throws StepFailedError `invalid_input` or `invalid_output`, not retryable, with each issue and its path.
 */
export async function validated(
  schema: StandardSchemaV1 | undefined,
  value: unknown,
  what: 'input' | 'output',
  stepName: string,
): Promise<unknown> {
  if (schema === undefined) return value;
  const result = await schema['~standard'].validate(value);
  if (result.issues === undefined) return result.value;
  throw new StepFailedError(`invalid_${what}`, `${what} of step "${stepName}" does not match its schema: ${describe(result.issues)}`);
}

function describe(issues: readonly StandardSchemaV1.Issue[]): string {
  const shown = issues.slice(0, MAX_ISSUES_SHOWN).map(({ message, path }) => `${pathText(path)}: ${message}`);
  const more = issues.length - shown.length;
  return more > 0 ? `${shown.join('; ')}; and ${more} more` : shown.join('; ');
}

/** A path as it is written in code: `lines[2].sku`. */
export function pathText(path: StandardSchemaV1.Issue['path']): string {
  if (path === undefined || path.length === 0) return '(root)';
  return path
    .map((segment) => (typeof segment === 'object' ? segment.key : segment))
    .map((key, index) => (typeof key === 'number' ? `[${key}]` : `${index === 0 ? '' : '.'}${String(key)}`))
    .join('');
}
