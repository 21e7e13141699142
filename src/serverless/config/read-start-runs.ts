import { isFifoQueue } from '../../topology/fifo-queues.ts';
import { startRunQueueName } from '../../topology/queue-names.ts';
import type { StartRuns } from '../durable-service.ts';
import { type Problems, type Section, shown } from './section.ts';
import { readSharedQueue } from './shared-queue.ts';

/** Reads `custom.durable.startRuns`; undefined where runs are not started by message. */
export function readStartRuns(settings: Section, prefix: string, problems: Problems): StartRuns | undefined {
  const section = settings.section('startRuns');
  if (section === undefined && settings.flag('startRuns') !== true) return undefined;
  const functions = (section?.list('functions') ?? []).filter((name) => isName(name, `${section?.path}.functions`, problems));
  const shared = readSharedQueue(section, problems);
  if (shared === undefined) return { owned: true, name: startRunQueueName(prefix), functions };
  if (isFifoQueue(shared.url)) {
    problems.add(`${section?.path}.url`, `expected a standard queue, got ${shown(shared.name)}; give the start queue of the other service`);
  }
  return { owned: false, ...shared, functions };
}

/**
 * Every function that may start runs must be one of the service: a name with a typing mistake would be a right that is
 * missing.
 */
export function checkSenders(startRuns: StartRuns | undefined, functionKeys: readonly string[], problems: Problems): void {
  for (const name of startRuns?.functions ?? []) {
    if (functionKeys.includes(name)) continue;
    const known = functionKeys.length === 0 ? 'this service has none' : `this service has ${functionKeys.join(', ')}`;
    problems.add('custom.durable.startRuns.functions', `expected names of functions, got ${shown(name)}; ${known}`);
  }
}

function isName(name: unknown, path: string, problems: Problems): name is string {
  if (typeof name === 'string' && name !== '') return true;
  problems.add(path, `expected names of functions, got ${shown(name)}; write each as it stands under functions`);
  return false;
}
