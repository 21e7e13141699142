import type { ServiceStep } from '../durable-service.ts';
import { stepLogicalId } from '../resources/logical-ids.ts';
import type { FunctionEntry } from './read-functions.ts';
import { entriesOf, type Problems } from './section.ts';

/** A plain `sqs` event on a tasks queue competes with the step, and with a filter it deletes tasks. */
export function checkPlainEvents(functions: readonly FunctionEntry[], steps: readonly ServiceStep[], problems: Problems): void {
  for (const { events } of functions) {
    for (const { path, event } of events) {
      const sqs = event['sqs'];
      if (sqs === undefined) continue;
      const arn: unknown = typeof sqs === 'string' ? sqs : entriesOf(sqs)['arn'];
      const step = steps.find((candidate) => isTasksQueue(arn, candidate));
      if (step === undefined) continue;
      if (entriesOf(sqs)['filterPatterns'] !== undefined) {
        problems.add(
          `${path}.sqs.filterPatterns`,
          `expected no filter on the tasks queue of "${step.name}": it deletes every task that it does not match; remove this event`,
        );
      } else {
        problems.add(
          `${path}.sqs`,
          `expected one consumer of the tasks queue of "${step.name}", got another beside ${step.path}; remove it`,
        );
      }
    }
  }
}

function isTasksQueue(arn: unknown, step: ServiceStep): boolean {
  if (typeof arn === 'string') return arn.endsWith(`:${step.queues.tasks}`);
  const intrinsic = entriesOf(arn);
  const attribute: unknown = intrinsic['Fn::GetAtt'];
  if (Array.isArray(attribute)) return attribute[0] === stepLogicalId(step.token, 'TasksQueue');
  const join: unknown = intrinsic['Fn::Join'];
  const parts: unknown = Array.isArray(join) ? join[1] : undefined;
  const last: unknown = Array.isArray(parts) ? parts.at(-1) : undefined;
  return typeof last === 'string' && (last === step.queues.tasks || last.endsWith(`:${step.queues.tasks}`));
}
