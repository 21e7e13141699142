import { SQSClient, type SQSClientConfig } from '@aws-sdk/client-sqs';
import type { Context, SQSEvent } from 'aws-lambda';
import type { ChannelOptions } from '../../src/lambda/step-handler-options.ts';
import { GroupOrder } from './group-order.ts';
import { runIdOf } from './history.ts';
import type { Ledger } from './ledger.ts';
import { type SqsCall, stepIdOf } from './sqs-wire.ts';

export interface FleetOptions {
  readonly resultsQueueUrl: string;
  readonly clientConfig: (caller: string, config?: SQSClientConfig) => SQSClientConfig;
  /** Cuts a process off the network. */
  readonly kill: (caller: string) => void;
  readonly ledger: Ledger;
  readonly random: () => number;
  /** Share of invocations whose process is killed. */
  readonly killRate: number;
  /** Share of invocations none of whose results gets through. */
  readonly cutOffRate: number;
  readonly timeoutMs: number;
}

type Moment = 'before a step' | 'in a step' | 'before a send' | 'after a send' | 'after the last send';
export const MOMENTS: readonly Moment[] = ['before a step', 'in a step', 'before a send', 'after a send', 'after the last send'];

export type Handler = (event: SQSEvent, context: Context) => Promise<unknown>;

/** Runs what was given with a record, and has the fleet know. `isIt` tells the record by the id of its step or turn. */
export type Around = (isIt: (id: string) => boolean, next: () => Promise<unknown>) => Promise<unknown>;

/** The code of a function, loaded in a new process. */
export type ServeTasks = (channel: ChannelOptions, around: Around) => Handler;

/** One process of a function: one invocation at a time, warm in between, until it is killed. */
interface Instance {
  readonly caller: string;
  readonly handler: Handler;
  /**
   * Rejects when the process is killed. One for each invocation: a race keeps what it raced for as long as the other
   * promise lives.
   */
  death: PromiseWithResolvers<never>;
  dead: boolean;
  /** Steps or turns of the records that the invocation was given, in their order. */
  given: readonly string[];
  /** What it began of them; one that it was given two tasks of is here twice. */
  started: string[];
  /** Where the tasks of the invocation stand on their FIFO queue, by step id; empty for a standard one. */
  places: ReadonlyMap<string, bigint>;
  dies: Moment | undefined;
  /** Nothing that the invocation sends arrives. */
  cutOff: boolean;
}

/** What runs the functions: starts processes as they are needed, and kills some of them in the midst of it. */
export class LambdaFleet {
  readonly #options: FleetOptions;
  readonly #byCaller = new Map<string, Instance>();
  #coldStarts = 0;
  #calm = false;
  /** What holds of FIFO tasks queues; a process that is killed is at work no more. */
  readonly order = new GroupOrder();
  invocations = 0;
  cutOffs = 0;
  readonly kills = new Map<Moment | 'at its timeout', number>();

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  get coldStarts(): number {
    return this.#coldStarts;
  }

  calm(): void {
    this.#calm = true;
  }

  /** A function: what an event source mapping invokes. Its processes are its own. */
  function(serve: ServeTasks): Handler {
    const idle: Instance[] = [];
    return (event, context) => this.#invoke(idle, serve, event, context);
  }

  async #invoke(idle: Instance[], serve: ServeTasks, event: SQSEvent, context: Context): Promise<unknown> {
    const { ledger, random, killRate, cutOffRate, timeoutMs } = this.#options;
    const instance = idle.pop() ?? this.#coldStart(serve);
    this.invocations += 1;
    instance.started = [];
    instance.places = placesOf(event);
    instance.death = newDeath();
    instance.given = event.Records.flatMap(({ body }) => stepIdOf(body) ?? []);
    for (const id of instance.given) ledger.results.taskGiven(id);
    const [killed, moment, cutOff] = [random() < killRate, Math.floor(random() * MOMENTS.length), random() < cutOffRate];
    instance.dies = killed && !this.#calm ? MOMENTS[moment] : undefined;
    instance.cutOff = cutOff && !killed && !this.#calm;
    if (instance.cutOff) this.cutOffs += 1;
    ledger.invocationBegins(instance.caller);
    const killedAt = Date.now() + timeoutMs;
    const spent = () => 1 - (killedAt - Date.now()) / timeoutMs;
    const untilKilled: Context = { ...context, getRemainingTimeInMillis: () => Math.max(0, killedAt - Date.now()) };
    const timer = setTimeout(() => this.#kill(instance, 'at its timeout'), timeoutMs);
    try {
      const response = await Promise.race([instance.handler(event, untilKilled), instance.death.promise]);
      if (instance.dies === 'after the last send') {
        this.#kill(instance, instance.dies);
        await instance.death.promise;
      }
      this.#checkGivenBack(instance, event, response, spent());
      return response;
    } catch (error) {
      // Nothing was accepted: the handler throws, and the whole batch comes again.
      if (!instance.dead) this.#checkGivenBack(instance, event, undefined, spent());
      throw error;
    } finally {
      clearTimeout(timer);
      if (!instance.dead) idle.push(instance);
    }
  }

  /** Whether the caller's process is to die with this call. */
  fate(call: SqsCall): 'dies before' | 'dies after' | undefined {
    const instance = this.#byCaller.get(call.caller);
    if (instance?.dies === undefined || !call.action.startsWith('SendMessage')) return undefined;
    const { dies } = instance;
    if (dies !== 'before a send' && dies !== 'after a send') return undefined;
    this.#kill(instance, dies);
    return dies === 'before a send' ? 'dies before' : 'dies after';
  }

  /** Whether the call never arrives, and no other of its invocation. */
  isCutOff({ caller, action }: SqsCall): boolean {
    return action.startsWith('SendMessage') && this.#byCaller.get(caller)?.cutOff === true;
  }

  #coldStart(serve: ServeTasks): Instance {
    this.#coldStarts += 1;
    const { clientConfig, resultsQueueUrl } = this.#options;
    const caller = `lambda${this.#coldStarts}`;
    const config = clientConfig(caller);
    // Our own signed sender, the SDK, and the SDK without retries of its own, so that ours are seen at work.
    const senders = [{ clientConfig: config }, { client: new SQSClient(config) }, { client: new SQSClient({ ...config, maxAttempts: 1 }) }];
    const sender = senders[this.#coldStarts % senders.length] ?? {};
    const around: Around = (isIt, next) => this.#around(instance, isIt, next);
    const handler = serve({ ...sender, resultsQueueUrl }, around);
    const instance: Instance = {
      caller,
      handler,
      death: newDeath(),
      dead: false,
      given: [],
      started: [],
      places: new Map(),
      dies: undefined,
      cutOff: false,
    };
    this.#byCaller.set(caller, instance);
    return instance;
  }

  async #around(instance: Instance, isIt: (id: string) => boolean, next: () => Promise<unknown>): Promise<unknown> {
    const candidates = instance.given.filter(isIt);
    const stepId = candidates.find((id) => !instance.started.includes(id)) ?? candidates[0];
    if (stepId === undefined) throw new Error('a function runs what it was not given');
    if (instance.dies === 'before a step') this.#kill(instance, instance.dies);
    if (instance.dead) return never();
    instance.started.push(stepId);
    this.#options.ledger.executed(stepId);
    this.#options.ledger.history.note(runIdOf(stepId), `${instance.caller}: runs ${stepId}`);
    const place = instance.places.get(stepId);
    if (place !== undefined) this.order.begins(stepId, place);
    try {
      return await this.#inStep(instance, next);
    } finally {
      if (place !== undefined) this.order.ends(stepId);
    }
  }

  async #inStep(instance: Instance, next: () => Promise<unknown>): Promise<unknown> {
    try {
      return await next();
    } finally {
      if (instance.dies === 'in a step') this.#kill(instance, instance.dies);
      // A turn that suspends throws: its process is killed there, too.
      if (instance.dead) await never();
    }
  }

  #kill(instance: Instance, moment: Moment | 'at its timeout'): void {
    if (instance.dead) return;
    instance.dead = true;
    this.kills.set(moment, (this.kills.get(moment) ?? 0) + 1);
    this.#options.kill(instance.caller);
    this.#options.ledger.killed(instance.started);
    for (const stepId of instance.places.keys()) this.order.ends(stepId);
    this.#byCaller.delete(instance.caller);
    instance.death.reject(new Error(`the process was killed ${moment}`));
  }

  #checkGivenBack({ caller, started }: Instance, event: SQSEvent, response: unknown, spent: number): void {
    const failed = failedIds(response);
    for (const { messageId, body } of event.Records) {
      const stepId = stepIdOf(body);
      if (stepId === undefined || (failed !== undefined && !failed.has(messageId))) continue;
      this.#options.ledger.givenBack(caller, stepId, started.includes(stepId), spent);
    }
  }
}

function newDeath(): PromiseWithResolvers<never> {
  const death = Promise.withResolvers<never>();
  death.promise.catch(() => undefined);
  return death;
}

function placesOf({ Records }: SQSEvent): Map<string, bigint> {
  return new Map(
    Records.flatMap(({ body, attributes: { SequenceNumber } }) => {
      const stepId = stepIdOf(body);
      return stepId === undefined || SequenceNumber === undefined ? [] : [[stepId, BigInt(SequenceNumber)] as const];
    }),
  );
}

/** Ids that a response gives back; undefined: all. */
function failedIds(response: unknown): ReadonlySet<string> | undefined {
  if (typeof response !== 'object' || response === null || !('batchItemFailures' in response)) return undefined;
  const { batchItemFailures } = response;
  if (!Array.isArray(batchItemFailures)) return undefined;
  return new Set(batchItemFailures.map(({ itemIdentifier }: { readonly itemIdentifier: string }) => itemIdentifier));
}

/** A process that is gone does nothing more. */
function never(): Promise<never> {
  return new Promise(() => undefined);
}
