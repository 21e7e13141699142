import type { Finding, Rule } from '../facts.ts';

const OLDEST_NODE = 22;

/** Functions behind a queue run on a Node that AWS still supports. Other languages are not judged. */
export const runtimeRule: Rule = (facts) =>
  facts.functions.flatMap((fn): Finding[] => {
    const major = /^nodejs(\d+)/.exec(fn.runtime ?? '')?.[1];
    if (major === undefined || Number(major) >= OLDEST_NODE || !facts.mappings.some(({ functionId }) => functionId === fn.id)) return [];
    const where = `${facts.source}: function ${fn.name}`;
    const why = `its runtime ${fn.runtime} is deprecated, and older than this package runs on`;
    return [{ id: 'old-runtime', severity: 'error', where, why, fix: 'set runtime: nodejs24.x' }];
  });
