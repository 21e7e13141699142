/**
 * An environment of the engine function: a process with one engine, for one invocation at a time. The test freezes it
 * in between.
 */
import { appendFileSync } from 'node:fs';
import { type StateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { sqsEngineHandler } from '../../../src/engine-function/index.ts';
import { lambdaContext } from '../../../src/local/lambda-context.ts';
import { isRecord } from '../../../src/wire/shape.ts';
import { openStore } from '../database/open-store.mjs';
import { clientConfigOf, optionsOfProcess } from '../process-options.ts';
import { traced } from '../traced-store.ts';
import { register } from '../workload.ts';
import { HEALING } from './healing.ts';
import type { Death, Invocation, InvocationAnswer } from './invocation.ts';

const options = optionsOfProcess();
const { name, database, leaseMs } = options;
const note = (line: string) => appendFileSync(options.trace, `${Date.now()} ${name} ${line}\n`);
const noteProblem = (what: string, fields: object) => note(`${what} ${JSON.stringify(fields)}`);

let death: Death | undefined;
let calls = 0;

const handler = sqsEngineHandler(
  async (transport) => {
    const { store } = await openStore(database);
    const engine = new WorkflowEngine({
      store: mortal(traced(store, note)),
      transport,
      instanceId: name,
      ...(leaseMs === undefined ? {} : { leaseMs, ...HEALING }),
    });
    engine.subscribe(({ type, runId, seq }) => note(`${runId} event ${type}${seq === undefined ? '' : ` ${seq}`}`));
    register(engine);
    return engine;
  },
  {
    clientConfig: clientConfigOf(options),
    logger: { debug: noteProblem, info: noteProblem, warn: noteProblem, error: noteProblem },
  },
);

// As Lambda's runtime does.
process.on('unhandledRejection', (reason) => {
  note(`unhandled rejection: ${reason instanceof Error ? reason.stack : String(reason)}`);
  process.exit(128);
});
process.on('disconnect', () => process.exit(0));
process.on('message', (message: unknown) => void invoke(message));
tell({ ready: true });

async function invoke(message: unknown): Promise<void> {
  if (!isInvocation(message)) throw new Error('expected an invocation of this test');
  const { event, settings } = message;
  death = message.death;
  calls = 0;
  try {
    const response: unknown = await Reflect.apply(handler, undefined, [event, lambdaContext(settings)]);
    tell({ response });
  } catch (error) {
    note(`the invocation fails: ${String(error)}`);
    tell({ thrown: error instanceof Error ? error.name : String(error) });
  }
}

/** A store in one of whose calls this process dies. */
function mortal(store: StateStore): StateStore {
  return new Proxy(store, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property);
      if (typeof member !== 'function') return member;
      return async (...given: unknown[]) => {
        calls += 1;
        const [call, fate] = [calls, death];
        if (fate?.atCall === call && fate.when === 'before') process.kill(process.pid, 'SIGKILL');
        const answer: unknown = await Reflect.apply(member, target, given);
        if (fate?.atCall === call && fate.when === 'after') process.kill(process.pid, 'SIGKILL');
        return answer;
      };
    },
  });
}

function tell(answer: InvocationAnswer): void {
  process.send?.(answer);
}

function isInvocation(value: unknown): value is Invocation {
  return isRecord(value) && isRecord(value['event']) && isRecord(value['settings']);
}
