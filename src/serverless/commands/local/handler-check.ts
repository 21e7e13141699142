import type { HandlerKind } from '../../../local/process/protocol.ts';
import type { DurableDeployment } from '../../deployment.ts';

/**
 * What is wrong between a handler and serverless.yml, a line each. Such a function still runs: Lambda would run it too, and what comes of
 * it is shown with each invocation.
 */
export function handlerProblems(
  handler: HandlerKind,
  functionKey: string,
  { steps, deadLetters }: Pick<DurableDeployment, 'steps' | 'deadLetters'>,
): string[] {
  const mapped = steps.filter((step) => step.function.functionKey === functionKey).map(({ name }) => name);
  const readsDeadLetters = deadLetters?.functionKey === functionKey;
  switch (handler.kind) {
    case 'other': {
      const expected =
        mapped.length > 0 ? `sqsStepHandler(${[...new Set(mapped)].map((name) => `'${name}'`).join(', ')}, …)` : 'sqsDeadLetterHandler()';
      return [`its handler is not that of ${expected}, or is wrapped: whether it answers the engine shows with its first invocation`];
    }
    case 'dead-letters':
      return mapped.length === 0
        ? []
        : [`its handler is one for dead letters, and serverless.yml maps ${quoted(mapped)} to it; use sqsStepHandler`];
    case 'steps':
      return [
        ...(readsDeadLetters
          ? ['serverless.yml maps dead-letter queues to it, and its handler is one for steps; use sqsDeadLetterHandler']
          : []),
        ...differences(handler.names, [...new Set(mapped)]),
      ];
  }
}

function differences(served: readonly string[], mapped: readonly string[]): string[] {
  const unserved = mapped.filter((name) => !served.includes(name));
  const unmapped = served.filter((name) => !mapped.includes(name));
  return [
    ...(unserved.length === 0
      ? []
      : [`serverless.yml maps ${quoted(unserved)} to it, and its handler serves ${quoted(served)}: those tasks fail with no_handler`]),
    ...(unmapped.length === 0 ? [] : [`its handler serves ${quoted(unmapped)}, which serverless.yml does not map to it: no task comes`]),
  ];
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}
