import type { OptionRule } from '../options.ts';

/** Which of the queues that go by name are FIFO. */
export interface FifoQueues {
  readonly tasks: boolean;
  readonly results: boolean;
}

/** The `fifo` option: all queues, or each kind for itself. */
export type FifoOption = boolean | { readonly tasks?: boolean | undefined; readonly results?: boolean | undefined };

export const fifoRule: OptionRule = {
  expected: 'true, false or { tasks?: boolean, results?: boolean }',
  accepts: (value) => {
    if (typeof value === 'boolean') return true;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    return Object.entries(value).every(
      ([name, chosen]) => (name === 'tasks' || name === 'results') && (chosen === undefined || typeof chosen === 'boolean'),
    );
  },
};

export function fifoQueues(option: FifoOption = false): FifoQueues {
  if (typeof option === 'boolean') return { tasks: option, results: option };
  return { tasks: option.tasks ?? false, results: option.results ?? false };
}

/** Whether a queue is FIFO: its name, which ends its URL, says so. */
export function isFifoQueue(queueUrl: string): boolean {
  return queueUrl.endsWith('.fifo');
}
