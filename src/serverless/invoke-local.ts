import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { url as inspectorUrl } from 'node:inspector';
import { basename, join } from 'node:path';
import { isTick } from '../engine-function/tick.ts';
import { type Replay, replayOf } from '../lambda/replay.ts';
import { isRecord } from '../wire/shape.ts';
import type { DurableDeployment } from './deployment.ts';
import { INIT_TIMEOUT_MS } from './lambda-limits.ts';
import type { Value } from './resources/cloudformation.ts';
import { START_RUN_QUEUE_URL, workerEnvironment } from './resources/environment.ts';

/**
 * What becomes of the results of a replayed event. They are printed unless the user asks to send them: a replayed
 * production event must not answer a production engine.
 *
 * @throws ConfigurationError for a `DURABLE_REPLAY` that is neither `print` nor `send`
 */
export function readReplay(sendOption: unknown, env: Readonly<Record<string, string | undefined>>): Replay {
  if (sendOption === true) return 'send';
  return env['DURABLE_REPLAY'] ? replayOf(env) : 'print';
}

/**
 * The environment of a replayed function. Where results are printed every value is plain, so that AWS is not needed;
 * the shell's own values win.
 */
export function replayEnvironment(
  deployment: DurableDeployment,
  replay: Replay,
  env: Readonly<Record<string, string | undefined>>,
): Record<string, Value> {
  const plain: Readonly<Record<string, Value>> = {
    // `.invalid` never resolves: not even a handler that ignores DURABLE_REPLAY can send there.
    DURABLE_RESULTS_QUEUE_URL: `https://sqs.invalid/000000000000/${deployment.resultsQueue.name}`,
    ...(deployment.payloadBucket?.owned === true ? { DURABLE_PAYLOAD_BUCKET: 'payload-bucket-unknown-offline' } : {}),
  };
  const variables: Record<string, Value> = {
    ...workerEnvironment(deployment),
    // The deploy tool looks up a Ref to a resource of the stack, but not one to the account.
    ...(deployment.payloadBucket?.owned === true ? { DURABLE_PAYLOAD_BUCKET_OWNER: '' } : {}),
    ...(replay === 'print' ? plain : {}),
    DURABLE_REPLAY: replay,
  };
  for (const name of ['DURABLE_RESULTS_QUEUE_URL', 'DURABLE_PAYLOAD_BUCKET']) {
    const given = env[name];
    if (given !== undefined && given !== '') variables[name] = given;
  }
  // The bucket of the shell may be on this machine.
  if (env['DURABLE_PAYLOAD_BUCKET']) delete variables['DURABLE_PAYLOAD_BUCKET_OWNER'];
  return variables;
}

/**
 * The environment of a function that starts runs, where it runs on this machine. The queue is looked up by its name, on
 * AWS or on the SQS that the shell names (`AWS_ENDPOINT_URL_SQS`), unless the shell gives its URL.
 */
export function localStarterEnvironment(
  { prefix }: Pick<DurableDeployment, 'prefix'>,
  env: Readonly<Record<string, string | undefined>>,
): Record<string, Value> {
  const url = env[START_RUN_QUEUE_URL];
  return { DURABLE_PREFIX: prefix, ...(url ? { [START_RUN_QUEUE_URL]: url } : {}) };
}

/**
 * What is wrong with a replay of the engine that prints: there is nothing to print. Undefined for any other function,
 * and where the replay acts.
 */
export function engineReplayProblem(
  { engine }: Pick<DurableDeployment, 'engine'>,
  functionKey: unknown,
  replay: Replay,
): string | undefined {
  if (replay === 'send' || engine === undefined || engine.function.functionKey !== functionKey) return undefined;
  return (
    `function "${engine.function.functionKey}" is the engine: here, too, it writes to its database and sends tasks. ` +
    'Where that is wanted, add --durable-send; AWS_ENDPOINT_URL_SQS says where its queues are, if not on AWS'
  );
}

/**
 * What to say of an event that is none of SQS's: most often the input of a step or a workflow, given as it is.
 * Undefined for any other event and function.
 */
export function eventHint(
  { steps, engine }: Pick<DurableDeployment, 'steps' | 'engine'>,
  functionKey: unknown,
  event: unknown,
): string | undefined {
  if (engine?.function.functionKey === functionKey) return engineEventHint(functionKey, event);
  const step = steps.find((candidate) => candidate.function.functionKey === functionKey);
  if (step === undefined || (isRecord(event) && Array.isArray(event['Records']))) return undefined;
  const command = `serverless durable event --step ${step.name} --input '{…}' --out events/${step.function.functionKey}.json`;
  return `function "${step.function.functionKey}" takes an event of SQS, and this is none; of a ${step.kind}'s input this makes one: ${command}`;
}

function engineEventHint(functionKey: unknown, event: unknown): string | undefined {
  if (isTick(event) || (isRecord(event) && Array.isArray(event['Records']))) return undefined;
  return (
    `function "${functionKey}" takes an event of SQS or of its schedule, and this is none; these make one: ` +
    `serverless durable event --tick, serverless durable event --start <workflow> --input '{…}'`
  );
}

/**
 * Makes a handler that was built to `.mjs` loadable: the deploy tool looks for `.js` and `.cjs` only. Gives a function
 * that undoes it.
 *
 * The deploy tool awaits what it requires, so the file can export the promise of the module.
 */
export async function bridgeModule(serviceDir: string, handler: string): Promise<() => Promise<void>> {
  const path = join(serviceDir, handler.slice(0, handler.lastIndexOf('.')));
  const bridge = `${path}.cjs`;
  if (!existsSync(`${path}.mjs`) || existsSync(bridge) || existsSync(`${path}.js`)) return async () => undefined;
  await writeFile(bridge, `module.exports = import(${JSON.stringify(`./${basename(path)}.mjs`)});\n`);
  return () => rm(bridge, { force: true });
}

/**
 * Calls `end` when a replayed function has used up its timeout and the time to load: the deploy tool enforces neither,
 * and a handler that never ends would keep the command running for ever. Gives a function that cancels it. Does nothing
 * under a debugger.
 */
export function whenLate(functionKey: string, timeoutSeconds: number, end: (problem: string) => void): () => void {
  if (inspectorUrl() !== undefined) return () => undefined;
  const problem = `function "${functionKey}" has not ended within its timeout of ${timeoutSeconds} s and the ${INIT_TIMEOUT_MS / 1_000} s that Lambda gives it to load; its load or its handler never ends`;
  const timer = setTimeout(end, timeoutSeconds * 1_000 + INIT_TIMEOUT_MS, problem);
  return () => clearTimeout(timer);
}
