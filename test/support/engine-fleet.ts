import { randomUUID } from 'node:crypto';
import { type StateStore, type Transport, WorkflowEngine, type WorkflowEngineDeps } from '@dudousxd/nestjs-durable-core';
import type { SQSRecord } from 'aws-lambda';
import { type EngineHandlerOptions, readEngineOptions } from '../../src/engine-function/engine-options.ts';
import { engineHandler, type SqsEngineHandler } from '../../src/engine-function/sqs-engine-handler.ts';
import { lambdaContext } from '../../src/local/lambda-context.ts';
import type { EntryOutcome, OutgoingMessage, ResultSender, VisibilityChange } from '../../src/sqs/sqs-api.ts';
import { decodeRemoteTask, encodeRemoteTask, type RemoteTask } from '../../src/wire/remote-task.ts';
import { failureOf, type StepResult } from '../../src/wire/step-result.ts';
import { capturingLogger } from './capturing-logger.ts';

export interface FleetOptions {
  readonly store: StateStore;
  readonly register: (engine: WorkflowEngine) => void;
  /** What a step comes to. Undefined for none: the task is lost. */
  readonly work?: (task: RemoteTask) => Partial<StepResult> | undefined;
  /** Invocations side by side, at most. @default 1 */
  readonly environments?: number;
  readonly timeoutMs?: number;
  /** Records in an invocation, at most. @default 10 */
  readonly batchSize?: number;
  /** Share of invocations whose environment dies in the middle. @default 0 */
  readonly killed?: number;
  /** How long a message is hidden whose invocation died. @default 200 */
  readonly visibilityMs?: number;
  readonly random?: () => number;
  readonly engine?: Partial<WorkflowEngineDeps>;
  readonly handler?: EngineHandlerOptions;
}

interface QueuedMessage {
  readonly messageId: string;
  readonly queue: string;
  readonly body: string;
  receiveCount: number;
  receiptHandle: string;
}

interface Environment extends Life {
  readonly handler: SqsEngineHandler;
  die: () => void;
}

/** A process: it runs while it has an invocation, and stands still from its answer to the next one. */
interface Life {
  isDead: boolean;
  isFrozen: boolean;
  readonly thaw: (() => void)[];
}

/**
 * An engine function on a Lambda and an SQS in memory: environments that take one invocation at a time, are kept for
 * the next, and may die in the middle of one; queues with receive counts, delays and redelivery; workers that answer at
 * once.
 */
export class EngineFleet {
  readonly logger = capturingLogger();
  /** Tasks as they were sent. */
  readonly tasks: RemoteTask[] = [];
  /** Delays of the wake-ups that were sent, in seconds. */
  readonly wakeUps: number[] = [];
  /** Visibility timeouts that were set, in seconds. */
  readonly delays: number[] = [];
  readonly invocations = { ended: 0, failed: 0, killed: 0, redelivered: 0, ms: 0 };
  /** Calls of store and SQS that were made after the answer of their invocation. */
  readonly lateCalls: string[] = [];
  /** Wake-ups are lost. */
  losesWakeUps = false;
  readonly #options: FleetOptions;
  readonly #waiting: QueuedMessage[] = [];
  readonly #idle: Environment[] = [];
  readonly #delayed = new Map<string, number>();
  #busy = 0;
  #isClosed = false;

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  /** Environments that are kept, and those that are busy. */
  get size(): number {
    return this.#idle.length + this.#busy;
  }

  /** An engine in another process: an API that starts runs (and begins none), signals and cancels them. */
  starter(): Pick<WorkflowEngine, 'start' | 'signal' | 'cancel' | 'getRun'> {
    const { store } = this.#options;
    const transport: Transport = {
      dispatch: async (task) => void this.#send('durable-tasks', { body: encodeRemoteTask(task) }),
      onResult: () => undefined,
      onHeartbeat: () => undefined,
    };
    const engine = new WorkflowEngine({ store, transport, runDispatcher: { dispatch: () => undefined }, instanceId: 'starter' });
    this.#options.register(engine);
    return engine;
  }

  put(queue: string, body: object | string, receiveCount = 0): void {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    this.#enqueue({ messageId: randomUUID(), queue, body: text, receiveCount, receiptHandle: '' });
  }

  /** The schedule fires. Resolves when its invocation is over. */
  async tick(): Promise<void> {
    const environment = this.#takeEnvironment();
    await this.#invoke(environment, { source: 'aws.events', 'detail-type': 'Scheduled Event' }).catch(() => undefined);
  }

  /** Asks again and again, until a condition holds. */
  async until(condition: () => Promise<boolean>, { everyMs = 50, withinMs = 15_000 } = {}): Promise<void> {
    const deadline = Date.now() + withinMs;
    while (!(await condition())) {
      if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  }

  async ended(runIds: readonly string[], withinMs?: number): Promise<void> {
    const { store } = this.#options;
    const isOver = async () => {
      const runs = await Promise.all(runIds.map((id) => store.getRun(id)));
      return runs.every((run) => run !== null && ['completed', 'failed', 'cancelled', 'dead'].includes(run.status));
    };
    await this.until(isOver, withinMs === undefined ? {} : { withinMs });
  }

  close(): void {
    this.#isClosed = true;
  }

  #enqueue(message: QueuedMessage): void {
    this.#waiting.push(message);
    this.#pump();
  }

  #pump(): void {
    const { environments = 1, batchSize = 10 } = this.#options;
    while (!this.#isClosed && this.#waiting.length > 0 && this.#busy < environments) {
      const [first] = this.#waiting;
      const batch = this.#waiting.filter(({ queue }) => queue === first?.queue).slice(0, batchSize);
      for (const message of batch) this.#waiting.splice(this.#waiting.indexOf(message), 1);
      void this.#deliver(batch);
    }
  }

  async #deliver(batch: readonly QueuedMessage[]): Promise<void> {
    this.#busy += 1;
    for (const message of batch) Object.assign(message, { receiveCount: message.receiveCount + 1, receiptHandle: randomUUID() });
    const environment = this.#takeEnvironment();
    try {
      const { batchItemFailures } = await this.#invoke(environment, { Records: batch.map(recordOf) });
      const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
      this.#redeliver(batch.filter(({ messageId }) => failed.has(messageId)));
    } catch {
      this.#redeliver(batch);
    } finally {
      this.#busy -= 1;
      this.#pump();
    }
  }

  #redeliver(messages: readonly QueuedMessage[]): void {
    const { visibilityMs = 200 } = this.#options;
    for (const message of messages) {
      this.invocations.redelivered += 1;
      setTimeout(() => this.#enqueue(message), this.#delayed.get(message.receiptHandle) ?? visibilityMs);
    }
  }

  // biome-ignore lint/suspicious/noExplicitAny: events of two kinds, of which the handler's type knows one
  async #invoke(environment: Environment, event: any): ReturnType<SqsEngineHandler> {
    const { timeoutMs = 10_000, killed = 0, random = Math.random } = this.#options;
    const startedAt = Date.now();
    environment.isFrozen = false;
    for (const go of environment.thaw.splice(0)) go();
    const answer = environment.handler(event, lambdaContext({ functionName: 'engine', timeoutMs }));
    const death = new Promise<never>((_, reject) => {
      environment.die = () => {
        environment.isDead = true;
        this.invocations.killed += 1;
        reject(new Error('killed'));
      };
    });
    if (random() < killed) setTimeout(environment.die, random() * 40);
    try {
      return await Promise.race([answer, death]);
    } catch (error) {
      this.invocations.failed += 1;
      throw error;
    } finally {
      environment.die = () => {};
      environment.isFrozen = true;
      this.invocations.ended += 1;
      this.invocations.ms += Date.now() - startedAt;
      if (!environment.isDead) this.#idle.push(environment);
    }
  }

  #takeEnvironment(): Environment {
    return this.#idle.pop() ?? this.#newEnvironment();
  }

  #newEnvironment(): Environment {
    const { store, register, engine: deps, handler: given } = this.#options;
    const environment: Life & Pick<Environment, 'die'> = { isDead: false, isFrozen: false, thaw: [], die: () => {} };
    const seen = <T extends object>(target: T) => viewFrom(environment, target, (call) => this.lateCalls.push(call));
    const handler = engineHandler(
      (transport) => {
        const engine = new WorkflowEngine({ store: seen(store), transport, ...deps });
        register(engine);
        return engine;
      },
      readEngineOptions({ logger: this.logger, ...given }, {}),
      seen(this.#api()),
      () => environment.die(),
    );
    return Object.assign(environment, { handler });
  }

  #api(): ResultSender {
    return {
      sendMessages: async (queueUrl, messages) => messages.map((message) => this.#send(nameOf(queueUrl), message)),
      changeVisibility: async (_, changes) => changes.map((change) => this.#change(change)),
      findQueueUrl: async (name) => (name.endsWith('.fifo') ? undefined : `https://sqs.us-east-1.amazonaws.com/1/${name}`),
      region: async () => 'us-east-1',
    };
  }

  #send(queue: string, { body, delaySeconds = 0 }: OutgoingMessage): EntryOutcome {
    if (queue.endsWith('-wake-ups')) {
      this.wakeUps.push(delaySeconds);
      if (!this.losesWakeUps) setTimeout(() => this.put(queue, body), delaySeconds * 1000);
      return { ok: true };
    }
    const task = decodeRemoteTask(body);
    this.tasks.push(task);
    const { runId, seq, stepId } = task;
    const result = this.#options.work === undefined ? {} : this.#options.work(task);
    if (result !== undefined) {
      const answer: StepResult = { runId, seq, stepId, status: 'completed', output: task.input, ...result };
      setTimeout(() => this.put('durable-results', failureOf(task.attempt, answer)), 1);
    }
    return { ok: true };
  }

  #change({ receiptHandle, timeoutSeconds }: VisibilityChange): EntryOutcome {
    this.delays.push(timeoutSeconds);
    this.#delayed.set(receiptHandle, timeoutSeconds * 1000);
    return { ok: true };
  }
}

/**
 * A process that has died asks for nothing more, and hears nothing more; one that is frozen does so when it is thawed.
 */
function viewFrom<T extends object>(life: Life, target: T, onLate: (call: string) => void): T {
  const running = () => {
    if (life.isDead) return new Promise<void>(() => {});
    return life.isFrozen ? new Promise<void>((resolve) => life.thaw.push(resolve)) : undefined;
  };
  return new Proxy(target, {
    get(of, property) {
      const member: unknown = Reflect.get(of, property);
      if (typeof member !== 'function') return member;
      return async (...given: unknown[]) => {
        if (life.isFrozen) onLate(String(property));
        await running();
        const answer: unknown = await Reflect.apply(member, of, given);
        await running();
        return answer;
      };
    },
  });
}

function nameOf(queueUrl: string): string {
  return queueUrl.slice(queueUrl.lastIndexOf('/') + 1);
}

function recordOf({ messageId, queue, body, receiveCount, receiptHandle }: QueuedMessage): SQSRecord {
  return {
    messageId,
    receiptHandle,
    body,
    attributes: {
      ApproximateReceiveCount: String(receiveCount),
      SentTimestamp: String(Date.now()),
      SenderId: 'sender',
      ApproximateFirstReceiveTimestamp: String(Date.now()),
    },
    messageAttributes: {},
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: `arn:aws:sqs:us-east-1:123456789012:${queue}`,
    awsRegion: 'us-east-1',
  };
}
