import type { HandlerKind } from '../../../local/process/protocol.ts';
import type { DurableDeployment } from '../../deployment.ts';
import type { DurableStep } from '../../durable-service.ts';

/**
 * What is wrong between a handler and serverless.yml, a line each. Such a function still runs: Lambda would run it too,
 * and what comes of it is shown with each invocation.
 */
export function handlerProblems(
  handler: HandlerKind,
  functionKey: string,
  { steps, deadLetters, engine }: Pick<DurableDeployment, 'steps' | 'deadLetters' | 'engine'>,
): string[] {
  const isEngine = engine?.function.functionKey === functionKey;
  if (isEngine) return engineProblems(handler);
  const mapped = steps.filter((step) => step.function.functionKey === functionKey);
  switch (handler.kind) {
    case 'other': {
      return [
        `its handler is not that of ${expectedHandlers(mapped)}, or is wrapped: whether it answers the engine shows with its first invocation`,
      ];
    }
    case 'engine': {
      const mistaken =
        mapped.length > 0 ? `serverless.yml maps ${quoted(namesOf(mapped))} to it` : 'serverless.yml maps dead-letter queues to it';
      return [`${mistaken}, and its handler is an engine; use ${expectedHandlers(mapped)}, or durableEngine in serverless.yml`];
    }
    case 'dead-letters': {
      const makers = [...new Set(mapped.map(({ kind }) => KINDS[kind].maker))].join(' and ');
      return mapped.length === 0
        ? []
        : [`its handler is one for dead letters, and serverless.yml maps ${quoted(namesOf(mapped))} to it; use ${makers}`];
    }
    case 'steps':
    case 'workflows': {
      const kind = handler.kind === 'steps' ? 'step' : 'workflow';
      const readsDeadLetters = deadLetters?.functionKey === functionKey;
      const foreign = mapped.filter((step) => step.kind !== kind);
      return [
        ...(readsDeadLetters
          ? [`serverless.yml maps dead-letter queues to it, and its handler is one for ${kind}s; use sqsDeadLetterHandler`]
          : []),
        ...foreign.map((step) => wrongKind(step, kind)),
        ...differences(handler.names, namesOf(mapped.filter((step) => step.kind === kind)), namesOf(foreign), kind),
      ];
    }
  }
}

function engineProblems({ kind }: HandlerKind): string[] {
  if (kind === 'engine') return [];
  if (kind === 'other')
    return ['its handler is not that of sqsEngineHandler(), or is wrapped: whether it is an engine shows with its first invocation'];
  const found = kind === 'dead-letters' ? 'dead letters' : kind;
  return [
    `serverless.yml makes it the engine (durableEngine), and its handler is one for ${found}: it would understand no result; use sqsEngineHandler`,
  ];
}

function expectedHandlers(mapped: readonly DurableStep[]): string {
  return mapped.length > 0 ? handlersOf(mapped).join(' and ') : 'sqsDeadLetterHandler()';
}

/** By the kind of what a queue brings. */
const KINDS = {
  step: { event: 'durableStep', maker: 'sqsStepHandler', tasks: 'tasks', unserved: 'no_handler' },
  workflow: { event: 'durableWorkflow', maker: 'sqsWorkflowHandler', tasks: 'turns', unserved: 'no_workflow' },
} as const;

function handlersOf(mapped: readonly DurableStep[]): string[] {
  const makers = new Set(mapped.map(({ kind }) => KINDS[kind].maker));
  return [...makers].map((maker) => {
    const names = namesOf(mapped.filter(({ kind }) => KINDS[kind].maker === maker));
    return `${maker}(${names.map((name) => `'${name}'`).join(', ')}, …)`;
  });
}

/** Its messages are of another kind than those that the handler reads: none would be understood. */
function wrongKind({ name, kind }: DurableStep, served: DurableStep['kind']): string {
  const { event, maker } = KINDS[kind];
  return (
    `serverless.yml maps ${kind} "${name}" to it (${event}), and its handler is one for ${served}s: no message would be understood; ` +
    `use ${maker}, or ${KINDS[served].event} in serverless.yml`
  );
}

function differences(
  served: readonly string[],
  mapped: readonly string[],
  foreign: readonly string[],
  kind: DurableStep['kind'],
): string[] {
  const { tasks, unserved: code } = KINDS[kind];
  const unserved = mapped.filter((name) => !served.includes(name));
  const unmapped = served.filter((name) => !mapped.includes(name) && !foreign.includes(name));
  return [
    ...(unserved.length === 0
      ? []
      : [`serverless.yml maps ${quoted(unserved)} to it, and its handler serves ${quoted(served)}: those ${tasks} fail with ${code}`]),
    ...(unmapped.length === 0 ? [] : [`its handler serves ${quoted(unmapped)}, which serverless.yml does not map to it: no task comes`]),
  ];
}

function namesOf(steps: readonly DurableStep[]): string[] {
  return [...new Set(steps.map(({ name }) => name))];
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}
