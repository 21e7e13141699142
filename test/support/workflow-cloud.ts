import { randomUUID } from 'node:crypto';
import {
  InMemoryStateStore,
  InMemoryTransport,
  type WorkflowCtx,
  type WorkflowDecision,
  WorkflowEngine,
  type WorkflowRun,
} from '@dudousxd/nestjs-durable-core';
import { vi } from 'vitest';
import { SqsTransport, type SqsTransportOptions, type StepHandlerOptions, sqsStepHandler } from '../../src/index.ts';
import { createQueues, LocalEventSourceMapping } from '../../src/local/index.ts';
import { sqsWorkflowHandler, type WorkflowContext, type WorkflowHandlerOptions } from '../../src/workflow/index.ts';
import { silentLogger } from './local-cloud.ts';
import { startTestSqs } from './sqs-server.ts';

export type StepFunctions = Readonly<Record<string, (input: unknown) => unknown>>;
/** By name; each is version 1. */
export type WorkflowFunctions = Readonly<Record<string, (ctx: WorkflowContext, input: never) => unknown>>;

export interface WorkflowCloudOptions {
  readonly workflows: WorkflowFunctions;
  readonly steps: StepFunctions;
  /** Takes the embedded SQS server where the suite runs on another one, too. */
  readonly embedded?: boolean;
  /** Of the engine's timers. */
  readonly clock?: () => number;
  /** Of the handlers and the transport. */
  readonly channel?: Pick<WorkflowHandlerOptions & StepHandlerOptions & SqsTransportOptions, 'payloadStore'>;
}

/** What became of a run. */
export interface Ended extends Pick<WorkflowRun, 'status' | 'output' | 'error'> {
  /** What its turns came to, as the engine was given it. */
  readonly decisions: readonly WorkflowDecision[];
  readonly trace: readonly Traced[];
}

/** A position of a run, as its store has it. */
export interface Traced {
  readonly seq: number;
  readonly name: string;
  readonly kind: string;
  readonly output?: unknown;
}

export interface WorkflowCloud {
  readonly engine: WorkflowEngine;
  readonly transport: SqsTransport;
  readonly store: InMemoryStateStore;
  readonly decisions: readonly WorkflowDecision[];
  /** SQS requests since the start, by action. */
  requests(): Readonly<Record<string, number>>;
  /** Runs a workflow to its end. */
  run(workflow: string, input: unknown, runId?: string): Promise<Ended>;
  /** What became of a run that was started elsewhere. */
  ended(runId: string): Promise<Ended>;
  close(): Promise<void>;
}

/** One queue for the turns of all workflows. */
const GROUP = 'turns';

/**
 * The real engine, an SQS server, one Lambda handler for every workflow and one for every step, behind local mappings.
 */
export async function workflowCloud(options: WorkflowCloudOptions): Promise<WorkflowCloud> {
  const { workflows, steps, embedded = false, clock = Date.now, channel = {} } = options;
  const sqs = await startTestSqs({ embedded });
  const { clientConfig } = sqs;
  // The server may be shared with other tests.
  const prefix = `w${randomUUID().slice(0, 8)}`;
  const names = [GROUP, ...Object.keys(steps)];
  const { tasksQueueUrls, resultsQueueUrl } = await createQueues({ clientConfig, prefix, steps: names, functionTimeoutSeconds: 30 });
  const common = { clientConfig, resultsQueueUrl, logger: silentLogger, ...channel };
  const stepHandler = sqsStepHandler(steps, common);
  const byVersion = Object.fromEntries(Object.entries(workflows).map(([name, fn]) => [name, { 1: fn }]));
  const turnHandler = sqsWorkflowHandler<Record<string, never>>(byVersion, common);
  const mappings = [...tasksQueueUrls].map(([functionName, queueUrl]) => {
    const handler = functionName === GROUP ? turnHandler : stepHandler;
    return new LocalEventSourceMapping({ clientConfig, queueUrl, handler, functionName, timeoutMs: 30_000, logger: silentLogger });
  });
  for (const mapping of mappings) mapping.start();

  const transport = new SqsTransport({ clientConfig, prefix, waitTimeSeconds: 1, logger: silentLogger, ...channel });
  const decisions: WorkflowDecision[] = [];
  const onDecision = transport.onDecision.bind(transport);
  transport.onDecision = (handler) =>
    onDecision((decision) => {
      decisions.push(decision);
      return handler(decision);
    });
  const store = new InMemoryStateStore();
  const engine = new WorkflowEngine({ store, transport, clock });
  transport.attach(engine);
  for (const name of Object.keys(workflows)) engine.remote(name, { group: GROUP });

  let runs = 0;
  const ended = async (runId: string): Promise<Ended> => {
    const run = await terminal(engine, runId);
    return { ...run, decisions: decisions.filter((decision) => decision.runId === runId), trace: await traceOf(store, runId) };
  };
  return {
    engine,
    transport,
    store,
    decisions,
    requests: () => sqs.requests(),
    ended,
    async run(workflow, input, runId = `run-${++runs}`) {
      await engine.start(workflow, input, runId);
      return ended(runId);
    },
    async close() {
      await engine.drain();
      await Promise.all([transport.close(), ...mappings.map((mapping) => mapping.stop())]);
      await sqs.stop();
    },
  };
}

/** The same workflow in the process of an engine, whose steps run there too. */
export async function runInProcess(body: (ctx: WorkflowCtx, input: unknown) => unknown, input: unknown, steps: StepFunctions) {
  const transport = new InMemoryTransport();
  for (const [name, fn] of Object.entries(steps)) transport.handle(name, async (given) => fn(given));
  const store = new InMemoryStateStore();
  const engine = new WorkflowEngine({ store, transport });
  engine.register('inline', '1', async (ctx, given) => body(ctx, given));
  await engine.start('inline', input, 'inline');
  return { ...(await terminal(engine, 'inline')), trace: await traceOf(store, 'inline') };
}

async function terminal(engine: WorkflowEngine, runId: string): Promise<Pick<WorkflowRun, 'status' | 'output' | 'error'>> {
  return vi.waitFor(
    async () => {
      await engine.resumeDueTimers();
      const run = await engine.getRun(runId);
      if (run === null || !['completed', 'failed', 'cancelled'].includes(run.status)) throw new Error(`run ${runId} is ${run?.status}`);
      const { status, output, error } = run;
      return { status, output, error };
    },
    { timeout: 50_000, interval: 10 },
  );
}

async function traceOf(store: InMemoryStateStore, runId: string): Promise<Traced[]> {
  const checkpoints = await store.listCheckpoints(runId);
  return checkpoints.map(({ seq, name, kind, output }) => ({ seq, name, kind, output }));
}
