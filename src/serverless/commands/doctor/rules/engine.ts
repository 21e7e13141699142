import type { Facts, FunctionFacts } from '../facts.ts';
import { type Finding, queueLabel, type Rule } from '../finding.ts';
import { durableMappings } from '../queue-kind.ts';

/** Below it, a cold start that opens a store leaves no time for the turns of a batch. */
const SHORT_TIMEOUT_SECONDS = 10;

/**
 * A function that is the engine: the only one, with time to work, a tick, a store that it reaches, and leave to invoke
 * itself by its steps.
 */
export const engineRule: Rule = (facts) => {
  const results = durableMappings(facts).filter(({ kind }) => kind === 'results');
  const engines = [...new Map(results.flatMap(({ fn }) => (fn === undefined ? [] : [[fn.id, fn] as const]))).values()];
  return [
    ...severalEngines(facts, results),
    ...engines.flatMap((fn) => [...shortTimeout(facts, fn), ...missingTick(facts, fn), ...unreachable(facts, fn)]),
    ...(engines.length === 0 ? [] : stoppedLoops(facts)),
  ];
};

type ResultsMapping = ReturnType<typeof durableMappings>[number];

function severalEngines(facts: Facts, results: readonly ResultsMapping[]): Finding[] {
  return [...Map.groupBy(results, ({ mapping }) => mapping.queueId).values()].flatMap((mappings): Finding[] => {
    const functions = [...new Set(mappings.map(({ mapping, fn }) => fn?.name ?? mapping.functionId ?? mapping.id))];
    if (functions.length < 2) return [];
    const [first] = mappings;
    const where = first?.queue === undefined ? `${facts.source}: ${first?.mapping.queueId}` : queueLabel(facts, first.queue);
    const why = `${functions.join(' and ')} are mapped to it: each gets a part of the results, and with different stores each drops those of the other's runs`;
    return [
      { id: 'several-engines', severity: 'error', where, why, fix: 'leave one mapping; an engine with another store needs another prefix' },
    ];
  });
}

function shortTimeout(facts: Facts, fn: FunctionFacts): Finding[] {
  if (fn.timeoutSeconds >= SHORT_TIMEOUT_SECONDS) return [];
  const why = `its timeout of ${fn.timeoutSeconds} s must hold a cold start that opens the store, and the turns of a whole batch; what does not fit is given back and waits 30 s`;
  return [
    {
      id: 'engine-timeout-short',
      severity: 'warning',
      where: label(facts, fn),
      why,
      fix: `set its timeout to ${SHORT_TIMEOUT_SECONDS} s or more`,
    },
  ];
}

function missingTick(facts: Facts, fn: FunctionFacts): Finding[] {
  if (facts.schedules === undefined) return [];
  const own = facts.schedules.filter(({ functionId }) => functionId === fn.id);
  const harm = 'waits beyond 15 minutes never end, and nothing heals a run whose message was lost';
  if (own.length === 0) {
    const looked =
      facts.source === 'live' ? ' (rules of EventBridge were looked at; a schedule of EventBridge Scheduler does as well)' : '';
    const fix = 'deploy the service, or add a rule with rate(1 minute) and this function as its target';
    return [
      { id: 'tick-missing', severity: 'error', where: label(facts, fn), why: `no schedule invokes the engine${looked}: ${harm}`, fix },
    ];
  }
  if (own.some(({ enabled }) => enabled)) return [];
  const fix = 'enable the rule when the reason for it is gone';
  return [
    { id: 'tick-disabled', severity: 'warning', where: label(facts, fn), why: `the schedule of the engine is disabled: ${harm}`, fix },
  ];
}

function unreachable(facts: Facts, fn: FunctionFacts): Finding[] {
  const [first] = fn.inVpc === false ? (fn.privateHosts ?? []) : [];
  if (first === undefined) return [];
  const why = `${first.variable} names ${first.host}, an address that only its own network reaches, and the function is in no VPC`;
  const fix =
    'give it vpc: { securityGroupIds, subnetIds } of the database, with a way to SQS (an endpoint or a NAT); or take the address out';
  return [{ id: 'store-unreachable', severity: 'error', where: label(facts, fn), why, fix }];
}

function stoppedLoops(facts: Facts): Finding[] {
  const ids = new Set(durableMappings(facts).map(({ mapping }) => mapping.functionId));
  return facts.functions
    .filter((fn) => ids.has(fn.id) && fn.allowsLoop === false)
    .map((fn) => {
      const why =
        'engine and steps invoke each other by their queues, and Lambda stops such a chain after 16 functions: longer runs stand still';
      return { id: 'loop-stopped', severity: 'error', where: label(facts, fn), why, fix: 'set RecursiveLoop: Allow on the function' };
    });
}

function label({ source }: Facts, { name }: FunctionFacts): string {
  return `${source}: function ${name}`;
}
