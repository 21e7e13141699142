import { randomUUID } from 'node:crypto';
import { isWorkflowControlFlowSignal } from '@dudousxd/nestjs-durable-core';
import type { WorkflowContext } from '../../src/workflow/index.ts';
import type { StepName, Ticket } from './steps.ts';

/** What a run is started with. */
export interface TurnInput {
  readonly runId: string;
  readonly nonce: number;
}

/** Workflows by name, one for each thing that a turn can come to. */
export const TURN_KINDS = [
  'chain',
  'spread',
  'sleeper',
  'parent',
  'thrower',
  'orphaner',
  'signalled',
  'recorder',
  'catcher',
  'cancelled',
] as const;
export type TurnKind = (typeof TURN_KINDS)[number];

/** Long enough for a timer to be set, short enough to come due while the test has trouble to make. */
const SLEEP_MS = 300;

export function signalOf(runId: string): string {
  return `go-${runId}`;
}

/** Nobody sends it. */
export function neverOf(runId: string): string {
  return `never-${runId}`;
}

/** The run of the child that the workflow starts at a position. */
export function childOf(runId: string, seq: number): string {
  return `${runId}.child.${seq}`;
}

export function messageOf({ runId, nonce }: TurnInput): string {
  return `thrown by ${runId}/${nonce}`;
}

export const turnFunctions: Readonly<Record<TurnKind, (ctx: WorkflowContext, input: unknown) => Promise<unknown>>> = {
  async chain(ctx, input) {
    const outputs: unknown[] = [];
    for (const label of ['a', 'b', 'c']) outputs.push(await step(ctx, 'faults.work', input, label));
    return outputs;
  },
  async spread(ctx, input) {
    const outputs = await Promise.all(['a', 'b', 'c', 'd'].map((label) => step(ctx, 'faults.work', input, label)));
    return [...outputs, await step(ctx, 'faults.work', input, 'e')];
  },
  async sleeper(ctx, input) {
    const first = await step(ctx, 'faults.work', input, 'a');
    await ctx.sleep(SLEEP_MS);
    return [first, await step(ctx, 'faults.work', input, 'b')];
  },
  async parent(ctx, input) {
    const { runId, nonce } = inputOf(input);
    const outputs = await ctx.child<unknown[]>('chain', { runId: childOf(runId, 0), nonce });
    return [...outputs, await step(ctx, 'faults.work', input, 'a')];
  },
  async thrower(ctx, input) {
    await step(ctx, 'faults.work', input, 'a');
    throw new Error(messageOf(inputOf(input)));
  },
  async orphaner(ctx, input) {
    const { runId, nonce } = inputOf(input);
    return ctx.child('thrower', { runId: childOf(runId, 0), nonce });
  },
  async signalled(ctx, input) {
    const first = await step(ctx, 'faults.work', input, 'a');
    const payload = await ctx.waitForSignal(signalOf(inputOf(input).runId));
    return [first, payload, await step(ctx, 'faults.work', input, 'b')];
  },
  /** A replay that does not use what was recorded calls the step with another label. */
  async recorder(ctx, input) {
    const label = await ctx.sideEffect(() => randomUUID());
    return [label, await step(ctx, 'faults.work', input, label)];
  },
  async catcher(ctx, input) {
    try {
      return [await step(ctx, 'faults.decline', input, 'a')];
    } catch (error) {
      if (isWorkflowControlFlowSignal(error)) throw error;
      return [await step(ctx, 'faults.work', input, 'b')];
    }
  },
  async cancelled(ctx, input) {
    for (const label of ['a', 'b', 'c']) await step(ctx, 'faults.work', input, label);
    return ctx.waitForSignal(neverOf(inputOf(input).runId));
  },
};

function step(ctx: WorkflowContext, name: StepName, input: unknown, label: string): Promise<unknown> {
  const { runId, nonce } = inputOf(input);
  const ticket: Ticket = { runId, label, nonce };
  return ctx.step(name, ticket);
}

function inputOf(input: unknown): TurnInput {
  if (typeof input === 'object' && input !== null && 'runId' in input && 'nonce' in input) {
    const { runId, nonce } = input;
    if (typeof runId === 'string' && typeof nonce === 'number') return { runId, nonce };
  }
  throw new Error('the input is not one of this test');
}
