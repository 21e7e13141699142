import { randomUUID } from 'node:crypto';
import { SQSClient } from '@aws-sdk/client-sqs';
import { InMemoryStateStore, RemoteStepError, type StepDispatchOpts, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { expect, type TestContext } from 'vitest';
import { SqsTransport, type SqsTransportOptions, tasksQueueName } from '../../src/index.ts';
import { createQueues, type LocalSqs } from '../../src/local/index.ts';
import { depth, until } from '../integration/local/queues.ts';
import { capturingLogger } from '../support/capturing-logger.ts';
import { awsEnvironment, startPython } from './python.ts';

/** The last part of a tasks queue's name: what the Python worker calls its group. */
const encoded = (token: string) => tasksQueueName(token, 'p').slice('p-tasks-'.length);

/** An engine on the queues of some steps or workflows, and Python workers beside it, each test's own. */
export async function neighbourhood(
  sqs: LocalSqs,
  { onTestFinished }: TestContext,
  steps: readonly string[],
  options: SqsTransportOptions = {},
) {
  const client = new SQSClient(sqs.clientConfig);
  const prefix = `py-${randomUUID().slice(0, 8)}`;
  const { clientConfig } = sqs;
  const queues = await createQueues({ clientConfig, steps, prefix });
  const transport = new SqsTransport({ clientConfig, prefix, waitTimeSeconds: 1, logger: capturingLogger(), ...options });
  const store = new InMemoryStateStore();
  const engine = new WorkflowEngine({ store, transport });
  transport.attach(engine);
  const timers = setInterval(() => void engine.resumeDueTimers(), 20);
  onTestFinished(async () => {
    clearInterval(timers);
    await transport.close();
    client.destroy();
  });
  return {
    ...queues,
    prefix,
    engine,
    store,
    /** Starts a Python worker of one step, or of one workflow, and waits until it polls. */
    async python(
      step: string,
      args: readonly string[] = [],
      env: NodeJS.ProcessEnv = {},
      onLine?: (line: unknown) => void,
      script = 'worker.py',
    ) {
      const all = { ...awsEnvironment(sqs.endpoint), PREFIX: prefix, ...env };
      const worker = startPython(script, [encoded(step), ...args], all, onLine);
      onTestFinished(() => worker.stop());
      const dead = worker.ended.then((code) => Promise.reject(new Error(`Python ended with ${code}: ${worker.stderr()}`)));
      await Promise.race([dead, until(() => expect(worker.lines).toContainEqual({ ready: true }))]);
      return worker;
    },
    /** Runs one step to the end of its run; the output is the step's, or its error. */
    async run(runId: string, step: string, input: unknown, stepOptions: StepDispatchOpts = {}) {
      engine.register(`one-step-${runId}`, '1', async (ctx) => {
        try {
          return await ctx.step(step, input, stepOptions);
        } catch (error) {
          if (error instanceof RemoteStepError) return error.stepError;
          throw error;
        }
      });
      await engine.start(`one-step-${runId}`, {}, runId);
      return engine.waitForRun(runId, { until: 'terminal', timeoutMs: 60_000 });
    },
    async drained() {
      for (const url of [queues.resultsQueueUrl, ...queues.tasksQueueUrls.values()]) {
        await until(async () => expect(await depth(client, url)).toBe(0));
      }
    },
  };
}
