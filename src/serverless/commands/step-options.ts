import { allSteps, type DurableService, type ServiceStep } from '../durable-service.ts';
import type { CommandOption } from './command.ts';
import { CommandError } from './command-error.ts';
import type { CommandContext } from './context.ts';
import { textOption } from './options.ts';

/** The options by which a command is told which steps it is about. */
export const STEP_OPTIONS = {
  step: { usage: 'Name of a step, or of a workflow on Lambda', type: 'string' },
  partition: { usage: 'Partition of the step, where it has several', type: 'string' },
} as const satisfies Readonly<Record<string, CommandOption>>;

/**
 * The steps that `--step` and `--partition` select; all steps without `--step`.
 * @throws CommandError where there is none
 */
export function selectedSteps({ options, service }: Pick<CommandContext, 'options' | 'service'>): readonly ServiceStep[] {
  return stepsNamed(service(), textOption(options, 'step'), textOption(options, 'partition'));
}

function stepsNamed(service: DurableService, name: string | undefined, partition: string | undefined): readonly ServiceStep[] {
  const steps = allSteps(service);
  if (name === undefined) return steps;
  const selected = steps.filter(
    (step) => (step.name === name || step.token === name) && (partition === undefined || step.partition === partition),
  );
  if (selected.length > 0) return selected;
  const known = steps.map((step) => (step.partition === undefined ? step.name : `${step.name} (partition ${step.partition})`));
  const wanted = partition === undefined ? `"${name}"` : `"${name}" of partition "${partition}"`;
  throw new CommandError(`--step: no step or workflow ${wanted} in this service; it has ${known.length === 0 ? 'none' : known.join(', ')}`);
}
