import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import { type InMemoryStateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import type { Context } from 'aws-lambda';
import type { FunctionTransport } from '../../src/engine-function/function-transport.ts';
import { type SqsEngineHandler, sqsEngineHandler } from '../../src/engine-function/index.ts';
import { lambdaContext } from '../../src/local/lambda-context.ts';
import { silentLogger } from '../support/local-cloud.ts';
import type { Ledger } from './ledger.ts';
import { intercepted, mortal, observed } from './stores.ts';
import { asTurn, currentTurn } from './turn.ts';
import type { Workload } from './workloads.ts';

export interface EnvironmentsOptions {
  readonly prefix: string;
  readonly store: InMemoryStateStore;
  readonly clientConfig: (caller: string) => SQSClientConfig;
  /** Cuts a process off the network. */
  readonly kill: (caller: string) => void;
  readonly ledger: Ledger;
  readonly random: () => number;
  /** Share of invocations in which the environment dies. */
  readonly killRate: number;
  readonly timeoutMs: number;
  readonly workload: Pick<Workload, 'register'>;
}

type EngineEvent = Parameters<SqsEngineHandler>[0];

interface Environment {
  readonly caller: string;
  readonly handler: SqsEngineHandler;
  /** Calls of the store until it dies; infinite where it does not. */
  callsLeft: number;
  die: () => void;
  isDead: boolean;
}

/** Short, so that a run whose environment died is free soon. */
const LEASE_MS = 5_000;
/** What died with its process is looked at after the first, and sent again after the second. */
const HEALING = { reconcileMs: 6_000, remoteRedispatchMs: 10_000 };
/** Calls of the store that a record makes, about: a death is somewhere among them. */
const CALLS_OF_RECORD = 12;

/**
 * The environments of an engine function: one invocation at a time in each, kept for the next one, or killed in the
 * midst of it.
 */
export class FunctionEnvironments {
  readonly #options: EnvironmentsOptions;
  readonly #idle: Environment[] = [];
  #rate: number;
  #started = 0;
  invocations = 0;
  kills = 0;

  constructor(options: EnvironmentsOptions) {
    this.#options = options;
    this.#rate = options.killRate;
  }

  get started(): number {
    return this.#started;
  }

  /** From now on nothing dies, so that the end can be looked at. */
  calm(): void {
    this.#rate = 0;
  }

  /** The schedule fires. What fails is for the next tick. */
  async tick(): Promise<void> {
    const context = lambdaContext({ functionName: 'engine', timeoutMs: this.#options.timeoutMs });
    await asTurn('pass', () => this.invoke({ ...TICK }, context)).catch(() => undefined);
  }

  async invoke(event: EngineEvent, context: Context): Promise<unknown> {
    const { random } = this.#options;
    this.invocations += 1;
    const environment = this.#idle.pop() ?? this.#start();
    const records = 'Records' in event ? event.Records.length : 1;
    const [dies, among] = [random() < this.#rate, random()];
    environment.callsLeft = dies ? 1 + Math.floor(among * CALLS_OF_RECORD * records) : Number.POSITIVE_INFINITY;
    const death = new Promise<never>((_, reject) => {
      environment.die = () => {
        this.#kill(environment);
        reject(new Error('the process was killed'));
      };
    });
    death.catch(() => undefined);
    try {
      return await Promise.race([asTurn('result', () => environment.handler(event, context)), death]);
    } finally {
      if (!environment.isDead) this.#idle.push(environment);
    }
  }

  #kill(environment: Environment): void {
    const { ledger, kill } = this.#options;
    environment.isDead = true;
    this.kills += 1;
    ledger.mishap('engines killed');
    ledger.dispatches.died(environment.caller);
    kill(environment.caller);
  }

  #start(): Environment {
    const { prefix, store, clientConfig, ledger, workload } = this.#options;
    this.#started += 1;
    const caller = `function${this.#started}`;
    const life = mortal(observed(store, caller, ledger));
    const counted = intercepted(life.store, async (call) => {
      environment.callsLeft -= 1;
      if (environment.callsLeft === 0) {
        life.end();
        environment.die();
      }
      return call();
    });
    const handler = sqsEngineHandler(
      (transport) => {
        noteAll(transport, caller, ledger);
        const engine = new WorkflowEngine({ store: counted, transport, leaseMs: LEASE_MS, instanceId: caller, ...HEALING });
        engine.subscribe(({ type, runId, seq }) => ledger.history.note(runId, `${caller}: ${type}${seq === undefined ? '' : ` ${seq}`}`));
        workload.register(engine);
        return engine;
      },
      { prefix, clientConfig: clientConfig(caller), logger: silentLogger },
    );
    const environment: Environment = { caller, handler, callsLeft: Number.POSITIVE_INFINITY, die: () => undefined, isDead: false };
    return environment;
  }
}

const TICK: Extract<EngineEvent, { readonly source: string }> = {
  source: 'aws.events',
  account: '000000000000',
  detail: {},
  'detail-type': 'Scheduled Event',
  id: 'tick',
  region: 'us-east-1',
  resources: [],
  time: '2026-01-01T00:00:00Z',
  version: '0',
};

/** Has the ledger know what a transport sends and what its engine is given. */
function noteAll(transport: FunctionTransport, caller: string, ledger: Ledger): void {
  const { dispatches, results, history } = ledger;
  const dispatch = transport.dispatch.bind(transport);
  transport.dispatch = (task) => {
    const { stepId, runId, seq, attempt = 1 } = task;
    dispatches.dispatched(stepId, attempt, caller, currentTurn());
    history.note(runId, `${caller}: dispatches step ${seq}, attempt ${attempt}`);
    return dispatch(task);
  };
  const onResult = transport.onResult.bind(transport);
  transport.onResult = (handler) =>
    onResult(async (result) => {
      results.handedToEngine(result.stepId);
      history.note(result.runId, `${caller}: is handed a ${result.status} result of step ${result.seq}`);
      try {
        await handler(result);
      } catch (error) {
        ledger.mishap('results that an engine rejected');
        throw error;
      }
    });
}
