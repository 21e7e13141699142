import { randomUUID } from 'node:crypto';
import type { HandlerOutcome, InvocationSettings, LambdaRuntime } from '../../../src/local/lambda-runtime.ts';
import { isRecord } from '../../../src/wire/shape.ts';
import type { ProcessOptions } from '../messages.ts';
import { Environment } from './environment.ts';
import type { Death, FunctionEvent } from './invocation.ts';

/** An environment that died in an invocation. */
export interface Kill {
  readonly environment: string;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  readonly at: number;
  /** Runs that its records were of. */
  readonly runIds: readonly string[];
}

/** Share of the invocations in which the environment dies. */
const KILLED = 0.2;
/** Calls of the store that a record makes, about: the death is somewhere among them. */
const CALLS_OF_RECORD = 12;
/** Of an invocation. Ten of them share two processors with a database. */
export const TIMEOUT_MS = 12_000;

/**
 * The engine function as Lambda runs it: an environment for each invocation that is under way, kept for the next one.
 */
export class EngineFunction implements LambdaRuntime {
  readonly kills: Kill[] = [];
  /** Of invocations that ended, in the order of their ends. */
  readonly durationsMs: number[] = [];
  /** Invocations that threw or ran out of time, by what the outcome says. */
  readonly failures: string[] = [];
  /** Environments that ended by themselves. */
  readonly crashes: string[] = [];
  invocations = 0;
  coldStarts = 0;
  mostAtOnce = 0;
  readonly #options: Omit<ProcessOptions, 'name'>;
  readonly #compileCache: string;
  readonly #kills: boolean;
  readonly #idle: Environment[] = [];
  readonly #all = new Set<Environment>();
  #busy = 0;
  /** Invocations that were to die and made too few calls: the next ones die for them. */
  #owed = 0;
  #isCalm = false;
  #isTicking = false;

  constructor(options: Omit<ProcessOptions, 'name'>, compileCache: string, kills: boolean) {
    this.#options = options;
    this.#compileCache = compileCache;
    this.#kills = kills;
  }

  /** The schedule fires. A tick of a minute is over before the next one; so is this one. */
  tick(): void {
    if (this.#isTicking) return;
    this.#isTicking = true;
    const settings = { requestId: randomUUID(), functionName: 'engine', timeoutMs: TIMEOUT_MS, region: 'us-east-1' };
    void this.invoke({ source: 'aws.events' }, settings).then(() => {
      this.#isTicking = false;
    });
  }

  /** Never rejects, as {@link LambdaRuntime} has it. */
  async invoke(event: FunctionEvent, settings: InvocationSettings): Promise<HandlerOutcome> {
    this.invocations += 1;
    this.#busy += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#busy);
    const environment = this.#idle.pop() ?? (await this.#coldStart());
    const death = this.#drawDeath(event);
    const startedAt = Date.now();
    const outcome = await environment.invoke({ event, settings, ...(death === undefined ? {} : { death }) });
    this.#busy -= 1;
    if (outcome.kind === 'returned') this.durationsMs.push(Date.now() - startedAt);
    if (outcome.kind === 'threw') this.failures.push(String(outcome.error));
    if (outcome.kind === 'timeout') this.failures.push('out of time');
    if (environment.endedItself) this.failures.push('the store had not answered at its end');
    else if (outcome.kind === 'exited' && death === undefined) this.crashes.push(`${environment.name}: ${outcome.reason}`);
    // Whatever ended it, what it was at ended with it.
    if (environment.isDead) this.kills.push({ environment: environment.name, startedAt, at: Date.now(), runIds: runIdsOf(event) });
    else if (death !== undefined) this.#owed += 1;
    if (environment.isDead) this.#all.delete(environment);
    else this.#idle.push(environment);
    return outcome;
  }

  /** From now on nothing dies, so that the end can be looked at. */
  calm(): void {
    this.#isCalm = true;
  }

  stop(): void {
    for (const environment of this.#all) environment.stop();
  }

  async #coldStart(): Promise<Environment> {
    this.coldStarts += 1;
    const environment = await Environment.start({ ...this.#options, name: `environment-${this.coldStarts}` }, this.#compileCache);
    this.#all.add(environment);
    return environment;
  }

  #drawDeath(event: FunctionEvent): Death | undefined {
    const drawn = Math.random() < KILLED;
    if (!this.#kills || this.#isCalm || (!drawn && this.#owed === 0)) return undefined;
    if (!drawn) this.#owed -= 1;
    const records = 'Records' in event ? event.Records.length : 1;
    return { atCall: 1 + Math.floor(Math.random() * CALLS_OF_RECORD * records), when: Math.random() < 0.5 ? 'before' : 'after' };
  }
}

function runIdsOf(event: FunctionEvent): string[] {
  if (!('Records' in event)) return [];
  return event.Records.flatMap(({ body }) => {
    const message: unknown = JSON.parse(body);
    return isRecord(message) && typeof message['runId'] === 'string' ? [message['runId']] : [];
  });
}
