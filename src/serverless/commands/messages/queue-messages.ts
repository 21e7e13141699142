import { InvalidMessageError } from '../../../errors.ts';
import { messageGroupOfRun } from '../../../topology/message-group.ts';
import { encodeRemoteTask } from '../../../wire/remote-task.ts';
import { DEFAULT_TENANT, encodeStartRun } from '../../../wire/start-run.ts';
import { decodeWorkflowTask } from '../../../wire/workflow-task.ts';
import type { ServiceStep, StartRuns } from '../../durable-service.ts';
import { CommandError } from '../command-error.ts';

/** Messages of one queue, as the engine or `startRun` would send them. */
export interface QueueMessages {
  readonly queueName: string;
  readonly fifo: boolean;
  /** Key of the function that receives from the queue; undefined: no function of the service does. */
  readonly functionKey: string | undefined;
  readonly messages: readonly QueueMessage[];
}

export interface QueueMessage {
  readonly runId: string;
  readonly body: string;
  /** On a FIFO queue only. */
  readonly groupId: string | undefined;
}

interface RunOptions {
  readonly input: unknown;
  readonly runId: string;
  /** Messages to make, each of another run. */
  readonly count: number;
}

export interface TaskOptions extends RunOptions {
  /** @default `<run id>:0` */
  readonly stepId?: string | undefined;
  readonly attempt: number;
  /** Of a workflow. @default '1' */
  readonly workflowVersion?: string | undefined;
  /** What the run of a workflow has done so far. @default nothing: its first turn */
  readonly history?: unknown;
}

/**
 * Tasks of a step, or turns of a workflow.
 * @throws CommandError for a history that is none
 */
export function taskMessages(step: ServiceStep, options: TaskOptions): QueueMessages {
  const encode = step.kind === 'workflow' ? turn : task;
  return {
    queueName: step.queues.tasks,
    fifo: step.fifo,
    functionKey: step.function?.functionKey,
    messages: runIds(options).map((runId) => ({
      runId,
      body: encode(step, runId, options),
      groupId: step.fifo ? messageGroupOfRun(runId) : undefined,
    })),
  };
}

/**
 * Starts of runs, as `startRun` sends them.
 * @param functionKey of the engine; undefined where it is no function of this service
 */
export function startMessages({ name }: StartRuns, workflow: string, options: RunOptions, functionKey: string | undefined): QueueMessages {
  const messages = runIds(options).map((runId) => ({
    runId,
    body: encodeStartRun({ tenant: DEFAULT_TENANT, workflow, input: options.input, runId }),
    groupId: undefined,
  }));
  return { queueName: name, fifo: false, functionKey, messages };
}

function runIds({ runId, count }: RunOptions): string[] {
  return Array.from({ length: count }, (_, index) => (count === 1 ? runId : `${runId}-${index + 1}`));
}

function task(step: ServiceStep, runId: string, { input, attempt, stepId }: TaskOptions): string {
  return encodeRemoteTask({ runId, seq: 0, name: step.name, stepId: stepId ?? `${runId}:0`, group: step.token, input, attempt });
}

function turn(step: ServiceStep, runId: string, { input, workflowVersion = '1', history = [] }: TaskOptions): string {
  const taskId = `${runId}:wf:local`;
  const body = JSON.stringify({ taskId, runId, workflow: step.name, workflowVersion, input, history, group: step.token, attempt: 1 });
  try {
    decodeWorkflowTask(body);
  } catch (error) {
    if (error instanceof InvalidMessageError) throw new CommandError(`--history-file: ${error.message}`, { cause: error });
    throw error;
  }
  return body;
}
