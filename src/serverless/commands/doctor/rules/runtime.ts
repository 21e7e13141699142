import { MINIMUM_NODE } from '../../../node-version.ts';
import type { Finding, Rule } from '../finding.ts';

/**
 * Functions behind a queue run on a Node version that this package supports. Functions in other languages are not
 * judged.
 */
export const runtimeRule: Rule = (facts) =>
  facts.functions.flatMap((fn): Finding[] => {
    const major = /^nodejs(\d+)/.exec(fn.runtime ?? '')?.[1];
    const supported = major === undefined || Number(major) >= MINIMUM_NODE.major;
    if (supported || !facts.mappings.some(({ functionId }) => functionId === fn.id)) return [];
    const where = `${facts.source}: function ${fn.name}`;
    const why = `its runtime ${fn.runtime} is deprecated, and older than this package supports`;
    return [{ id: 'old-runtime', severity: 'error', where, why, fix: 'set runtime: nodejs24.x' }];
  });
