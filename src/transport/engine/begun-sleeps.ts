import type { StateStore, WorkflowCommand, WorkflowDecision } from '@dudousxd/nestjs-durable-core';

/**
 * The decision, with each sleep that has begun cut to what is left of it.
 *
 * A workflow that sleeps beside steps (`Promise.all`) asks for the sleep again with every turn: its history does not
 * tell that it has begun. The engine looks up whether a step was dispatched before, but takes a sleep for a new one.
 * Each result of a step would begin it anew.
 */
export async function withBegunSleeps(
  decision: WorkflowDecision,
  store: Pick<StateStore, 'getCheckpoint'>,
  now: () => number,
): Promise<WorkflowDecision> {
  const { commands, runId } = decision;
  if (!commands.some(({ kind }) => kind === 'sleep')) return decision;
  const left = async (command: WorkflowCommand): Promise<WorkflowCommand> => {
    if (command.kind !== 'sleep') return command;
    const begun = await store.getCheckpoint(runId, command.seq);
    const wakeAt = begun?.kind === 'sleep' ? begun.wakeAt : undefined;
    return wakeAt === undefined ? command : { ...command, ms: Math.max(0, wakeAt - now()) };
  };
  return { ...decision, commands: await Promise.all(commands.map(left)) };
}

/** By which the engine counts its timers. */
export function clockOf(engine: object): () => number {
  const clock: unknown = Reflect.get(engine, 'clock');
  return typeof clock === 'function' ? () => Number(Reflect.apply(clock, engine, [])) : Date.now;
}
