import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { url as inspectorUrl } from 'node:inspector';
import { basename, join } from 'node:path';
import { ConfigurationError } from '../errors.ts';
import type { DurableDeployment } from './deployment.ts';
import type { Value } from './resources/cloudformation.ts';
import { workerEnvironment } from './resources/environment.ts';
import { resultsQueueNameOf } from './resources/queues.ts';

/** Lambda gives a function so long to load, beside its timeout. */
const LOAD_MS = 10_000;

/** What becomes of the results of a replayed event. */
export type Replay = 'print' | 'send';

/**
 * Reads how to replay: results are printed unless somebody asks to send them, since a replayed production event must not answer a
 * production engine.
 *
 * @throws ConfigurationError for a `DURABLE_REPLAY` that is neither `print` nor `send`
 */
export function readReplay(sendOption: unknown, env: Readonly<Record<string, string | undefined>>): Replay {
  if (sendOption === true) return 'send';
  const given = env['DURABLE_REPLAY'];
  if (given === undefined || given === '' || given === 'print') return 'print';
  if (given === 'send') return 'send';
  throw new ConfigurationError(`expected DURABLE_REPLAY to be print or send, got "${given}"; unset it, or use --durable-send`);
}

/**
 * The environment of a replayed function. Printing asks nothing of AWS, so every value is plain then; what is set in the shell wins.
 */
export function replayEnvironment(
  deployment: DurableDeployment,
  replay: Replay,
  env: Readonly<Record<string, string | undefined>>,
): Record<string, Value> {
  const plain: Readonly<Record<string, Value>> = {
    // `.invalid` never resolves: not even a handler that knows nothing of DURABLE_REPLAY can send there.
    DURABLE_RESULTS_QUEUE_URL: `https://sqs.invalid/000000000000/${resultsQueueNameOf(deployment)}`,
    ...(deployment.payloadBucket?.owned === true ? { DURABLE_PAYLOAD_BUCKET: 'payload-bucket-unknown-offline' } : {}),
  };
  const variables: Record<string, Value> = {
    ...workerEnvironment(deployment),
    ...(replay === 'print' ? plain : {}),
    DURABLE_REPLAY: replay,
  };
  for (const name of ['DURABLE_RESULTS_QUEUE_URL', 'DURABLE_PAYLOAD_BUCKET']) {
    const given = env[name];
    if (given !== undefined && given !== '') variables[name] = given;
  }
  return variables;
}

/**
 * Makes a handler that was built to `.mjs` loadable: the deploy tool looks for `.js` and `.cjs` only. Gives the way to undo it.
 *
 * The tool awaits what it requires, so the file can hold the promise of the module.
 */
export async function bridgeModule(serviceDir: string, handler: string): Promise<() => Promise<void>> {
  const path = join(serviceDir, handler.slice(0, handler.lastIndexOf('.')));
  const bridge = `${path}.cjs`;
  if (!existsSync(`${path}.mjs`) || existsSync(bridge) || existsSync(`${path}.js`)) return async () => undefined;
  await writeFile(bridge, `module.exports = import(${JSON.stringify(`./${basename(path)}.mjs`)});\n`);
  return () => rm(bridge, { force: true });
}

/**
 * Calls `end` when a replayed function is long past the time that it would have on Lambda: the deploy tool enforces no timeout, and a
 * handler that never ends would keep the command for ever. Gives the way to call it off. In a debugger time does not count.
 */
export function whenLate(functionKey: string, timeoutSeconds: number, end: (problem: string) => void): () => void {
  if (inspectorUrl() !== undefined) return () => undefined;
  const problem = `function "${functionKey}" has not ended within its timeout of ${timeoutSeconds} s and the ${LOAD_MS / 1_000} s that Lambda gives it to load; its load or its handler never ends`;
  const timer = setTimeout(end, timeoutSeconds * 1_000 + LOAD_MS, problem);
  return () => clearTimeout(timer);
}
