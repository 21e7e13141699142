import type { Logger } from '../logger.ts';
import type { AttachableEngine } from '../transport/engine/attachable-engine.ts';

/**
 * Writes a line for each run that ends: no process of the user's own hears the engine's events. Ids only, as in every
 * line.
 */
export function logRunEnds(engine: Pick<AttachableEngine, 'subscribe'>, logger: Logger): void {
  engine.subscribe(({ type, runId, workflow }) => {
    if (type === 'run.completed') logger.info('run completed', { workflow, runId });
    if (type === 'run.failed') logger.warn('run failed', { workflow, runId });
  });
}
