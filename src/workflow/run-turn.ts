import { NondeterminismError, StepFailed, type WorkflowContext, WorkflowWorker } from '@dudousxd/durable-worker';
import { isWorkflowControlFlowSignal, type WorkflowCommand, type WorkflowDecision, type WorkflowTask } from '@dudousxd/nestjs-durable-core';
import { readableError } from '../step/readable-error.ts';
import { failedDecision, type TurnInFlight } from '../step/turn-tasks.ts';
import { turnContext } from './turn-context.ts';

/**
 * A workflow's code. Runs once for each turn, over what its run has done so far: it must do the same for the same
 * history.
 */
export type WorkflowFunction = (ctx: WorkflowContext, input: unknown) => unknown;

/** By name and version. */
export type Workflows = ReadonlyMap<string, ReadonlyMap<string, WorkflowFunction>>;

/** The partition of the steps that a workflow calls: none, as of steps that an engine's own workflows call. */
const NO_PARTITION = '';
/** Why a turn is left to another worker: its run was started on a version that is not deployed here. */
export function versionMissing(workflows: Workflows, { workflow, workflowVersion }: WorkflowTask): string | undefined {
  const versions = workflows.get(workflow);
  if (versions === undefined || versions.has(workflowVersion)) return undefined;
  const served = [...versions.keys()].map((version) => `"${version}"`).join(', ');
  return `version "${workflowVersion}" of workflow "${workflow}" is not served here, but ${served}; deploy it until its runs have ended`;
}

/**
 * Runs one turn. Never rejects: whatever the workflow does becomes a decision.
 *
 * The replay is that of the peer's own worker (`@dudousxd/durable-worker`), so its contract holds to the letter. On top
 * of that, a call or an option that the wire does not carry is an error, and so is a workflow that goes on after the
 * signal that suspends it.
 */
export async function runTurn(task: WorkflowTask, inFlight: TurnInFlight, workflows: Workflows): Promise<WorkflowDecision> {
  const fn = workflows.get(task.workflow)?.get(task.workflowVersion);
  if (fn === undefined) return failedDecision(task, notServed(task, workflows));
  let mismatch: NondeterminismError | undefined;
  const worker = new WorkflowWorker(NO_PARTITION).register(task.workflow, async (ctx, input) => {
    const mismatched = (error: NondeterminismError) => {
      mismatch ??= error;
    };
    try {
      const output = await fn(turnContext(ctx, inFlight.signal, mismatched), input);
      mismatch ??= historyLeft(ctx, task);
      return output;
    } catch (thrown) {
      if (!isWorkflowControlFlowSignal(thrown)) inFlight.thrown = readableError(thrown);
      throw readable(thrown);
    }
  });
  // A turn that was stopped begins no further local step: all that it does is done again.
  const isCancelled = () => inFlight.signal.aborted;
  const decision = await Promise.race([worker.processTask(task, { isCancelled }), stopped(task, inFlight)]);
  // Whatever the code did with the error: a catch around a step is not meant for it.
  if (mismatch !== undefined && !inFlight.signal.aborted) return failedDecision(task, nondeterminism(mismatch));
  const caught = decision.status === 'completed' ? decision.commands.find(suspends) : undefined;
  return caught === undefined ? decision : failedDecision(task, suspensionCaught(caught));
}

/** Its host stopped the turn. The decision is not sent: the turn runs again. */
function stopped(task: WorkflowTask, inFlight: TurnInFlight): Promise<WorkflowDecision> {
  return new Promise((resolve) => {
    inFlight.seal = () => resolve(failedDecision(task, { message: 'the turn was stopped before its end' }));
  });
}

/** Code that is shorter than its history. The peer counts positions in a member that its types hide. */
function historyLeft(ctx: WorkflowContext, { runId, history }: WorkflowTask): NondeterminismError | undefined {
  const positions: unknown = Reflect.get(ctx, 'seq');
  const left = typeof positions === 'number' ? history.find(({ seq }) => seq >= positions) : undefined;
  return left && new NondeterminismError(runId, left.seq, 'the end of the workflow', `${left.kind}/${JSON.stringify(left.name)}`);
}

function nondeterminism({ message }: NondeterminismError) {
  return { message, code: 'nondeterminism', retryable: false };
}

/** By `code`, what happened to a run can be told apart in the store. */
function readable(thrown: unknown): unknown {
  if (thrown instanceof NondeterminismError) return Object.assign(thrown, { code: 'nondeterminism' });
  // The failure of the step is the failure of the run.
  return thrown instanceof StepFailed || isWorkflowControlFlowSignal(thrown) ? thrown : readableError(thrown);
}

function notServed({ workflow }: WorkflowTask, workflows: Workflows) {
  const served = [...workflows.keys()].map((name) => `"${name}"`).join(', ');
  return { message: `no handler for workflow "${workflow}": this worker serves ${served}`, code: 'no_workflow', retryable: false };
}

/** The turn can only go on when the engine has carried it out. */
function suspends({ kind }: WorkflowCommand): boolean {
  return kind !== 'recordStep';
}

function suspensionCaught({ kind, seq }: WorkflowCommand) {
  const message =
    `the workflow returned while it still waits at position ${seq} (${kind}): it did not await ctx, or caught the signal by which ctx suspends ` +
    'it. Await every call of ctx, and rethrow errors for which isWorkflowControlFlowSignal(error) is true';
  return { message, code: 'suspension_caught', retryable: false };
}
