import type { Finding, Rule } from '../finding.ts';

const THROTTLED = 'Lambda throttles invocations, and each throttle uses up a receive';

/** The reserved concurrency of a function covers the maximum concurrency of all its mappings. */
export const concurrencyRule: Rule = (facts) =>
  facts.functions.flatMap((fn): Finding[] => {
    const mappings = facts.mappings.filter(({ functionId }) => functionId === fn.id);
    const { reservedConcurrency: reserved } = fn;
    if (reserved === undefined || mappings.length === 0) return [];
    const where = `${facts.source}: function ${fn.name}`;
    if (mappings.some(({ maximumConcurrency }) => maximumConcurrency === undefined)) {
      const why = `it has a reserved concurrency of ${reserved}, and a mapping without maximum concurrency, which grows past it: ${THROTTLED}`;
      const fix = `give its mappings a maximum concurrency of at most ${reserved} in total`;
      return [{ id: 'reserved-without-maximum', severity: 'warning', where, why, fix }];
    }
    const maximum = mappings.reduce((sum, { maximumConcurrency = 0 }) => sum + maximumConcurrency, 0);
    if (reserved >= maximum) return [];
    const why = `its reserved concurrency of ${reserved} is below the ${maximum} that its mappings may use: ${THROTTLED}`;
    const fix = `reserve ${maximum}, or lower the maximum concurrency of its mappings`;
    return [{ id: 'reserved-below-maximum', severity: 'error', where, why, fix }];
  });
