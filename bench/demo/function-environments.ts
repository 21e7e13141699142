import type { Context } from 'aws-lambda';

type Invoke<Event> = (event: Event, context: Context) => Promise<unknown>;

/** What a function has cost, as its Lambda bill would say it, and the environments that it took. */
export interface FunctionUse {
  invocations: number;
  environments: number;
  killed: number;
  /** From the call to the answer, rounded up for each; the start of an environment included. */
  billedMs: number;
}

/**
 * A function as Lambda runs it, in this process: an environment has one invocation at a time and is kept for the next;
 * where none is free, a new one is made. Now and then one is killed after its work, before Lambda could delete its
 * messages: they come again, to another. Its freeze between invocations is not imitated.
 */
export class FunctionEnvironments<Event> {
  readonly use: FunctionUse = { invocations: 0, environments: 0, killed: 0, billedMs: 0 };
  readonly #make: () => Invoke<Event>;
  readonly #killEvery: number;
  readonly #free: Invoke<Event>[] = [];

  constructor(make: () => Invoke<Event>, killEvery: number) {
    this.#make = make;
    this.#killEvery = killEvery;
  }

  readonly invoke = async (event: Event, context: Context): Promise<unknown> => {
    const environment = this.#free.pop() ?? this.#newEnvironment();
    const startedAt = performance.now();
    this.use.invocations += 1;
    const isKilled = this.use.invocations % this.#killEvery === 0;
    try {
      const response = await environment(event, context);
      if (isKilled) throw new Error('killed after its work (part of the demo)');
      return response;
    } finally {
      this.use.billedMs += Math.ceil(performance.now() - startedAt);
      if (isKilled) this.use.killed += 1;
      else this.#free.push(environment);
    }
  };

  #newEnvironment(): Invoke<Event> {
    this.use.environments += 1;
    return this.#make();
  }
}
