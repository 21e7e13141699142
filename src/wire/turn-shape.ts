import { attempt } from '../attempt.ts';
import { isRecord } from './shape.ts';

/**
 * Whether a body is about a turn of a workflow, and not about a step: both have a run, a turn has a `taskId` and no
 * `stepId`.
 */
export function isOfTurn(body: unknown): boolean {
  const value: unknown = typeof body === 'string' ? attempt(() => JSON.parse(body)) : body;
  return isRecord(value) && Object.hasOwn(value, 'taskId') && !Object.hasOwn(value, 'stepId');
}
