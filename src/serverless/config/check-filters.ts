import type { EngineFunction, ServiceStep } from '../durable-service.ts';
import { stepLogicalId } from '../resources/logical-ids.ts';
import type { FunctionEntry } from './read-functions.ts';
import { entriesOf, type Problems } from './section.ts';

/** What a plain `sqs` event may compete with. */
interface Consumers {
  readonly steps: readonly ServiceStep[];
  /** The engine, where it is a function. */
  readonly engine: Pick<EngineFunction, 'path'> | undefined;
  /** The queues that it reads, by name and logical id. */
  readonly engineQueues: readonly { readonly name: string; readonly logicalId: string }[];
}

/**
 * A plain `sqs` event on one of our queues competes with the step or the engine, and with a filter it deletes tasks.
 */
export function checkPlainEvents(
  functions: readonly FunctionEntry[],
  { steps, engine, engineQueues }: Consumers,
  problems: Problems,
): void {
  for (const { events } of functions) {
    for (const { path, event } of events) {
      const sqs = event['sqs'];
      if (sqs === undefined) continue;
      const arn: unknown = typeof sqs === 'string' ? sqs : entriesOf(sqs)['arn'];
      const ofEngine = engineQueues.find(({ name, logicalId }) => isQueue(arn, name, logicalId));
      if (engine !== undefined && ofEngine !== undefined) {
        problems.add(`${path}.sqs`, `expected one consumer of ${ofEngine.name}, got another beside ${engine.path}; remove it`);
        continue;
      }
      const step = steps.find(({ queues, token }) => isQueue(arn, queues.tasks, stepLogicalId(token, 'TasksQueue')));
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

function isQueue(arn: unknown, name: string, logicalId: string): boolean {
  if (typeof arn === 'string') return arn.endsWith(`:${name}`);
  const intrinsic = entriesOf(arn);
  const attribute: unknown = intrinsic['Fn::GetAtt'];
  if (Array.isArray(attribute)) return attribute[0] === logicalId;
  const join: unknown = intrinsic['Fn::Join'];
  const parts: unknown = Array.isArray(join) ? join[1] : undefined;
  const last: unknown = Array.isArray(parts) ? parts.at(-1) : undefined;
  return typeof last === 'string' && (last === name || last.endsWith(`:${name}`));
}
