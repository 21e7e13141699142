import type { DurableService, DurableStep } from '../durable-service.ts';
import { CommandError } from './command-error.ts';

/** The steps that `--step` (and `--partition`) mean; all of them where it was not given. @throws CommandError where there is none */
export function stepsNamed(service: DurableService, name: string | undefined, partition: string | undefined): readonly DurableStep[] {
  if (name === undefined) return service.steps;
  const found = service.steps.filter(
    (step) => (step.name === name || step.token === name) && (partition === undefined || step.partition === partition),
  );
  if (found.length > 0) return found;
  const known = service.steps.map((step) => (step.partition === undefined ? step.name : `${step.name} (partition ${step.partition})`));
  const wanted = partition === undefined ? `"${name}"` : `"${name}" of partition "${partition}"`;
  throw new CommandError(`--step: no step ${wanted} in this service; it has ${known.length === 0 ? 'none' : known.join(', ')}`);
}
