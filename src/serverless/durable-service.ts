/**
 * The durable steps of a serverless.yml, checked and with every default filled in. Resources and commands read this.
 */
export interface DurableService {
  /** Prefix of all queue names, namespace folded in. */
  readonly prefix: string;
  readonly resultsQueue: ResultsQueue;
  /** Undefined where runs are not started by message. */
  readonly startRuns: StartRuns | undefined;
  /** The steps that functions serve. */
  readonly steps: readonly DurableStep[];
  /** The steps that workers in containers serve: queues without a mapping. */
  readonly containerSteps: readonly ServiceStep[];
  /** The function behind every dead-letter queue, where there is one. */
  readonly deadLetters: DurableFunction | undefined;
  /**
   * The function that is the engine; undefined where the engine is a process of the user's own, or a function of
   * another service.
   */
  readonly engine: EngineFunction | undefined;
}

/** One `durableEngine` event. */
export interface EngineFunction {
  /** Its path in serverless.yml. */
  readonly path: string;
  readonly function: DurableFunction;
  /** Of each of its queues, as the next two. */
  readonly batchSize: number;
  readonly maximumConcurrency: number;
  readonly enabled: boolean;
  /** How often it passes over what nothing else wakes. */
  readonly tickMinutes: number;
}

/** One results queue per engine store; several services share it, and only one may own it. */
export type ResultsQueue = { readonly name: string; readonly fifo: boolean } & (
  | { readonly owned: true }
  | {
      readonly owned: false;
      readonly url: string;
      readonly arn: string;
      /** Whether a function of the service that owns it is the engine. */
      readonly engineFunction: boolean;
    }
);

/** The queue for starts of runs by message. As with results, several services share one, and only one may own it. */
export type StartRuns = {
  readonly name: string;
  /** Keys of the functions that may send starts. */
  readonly functions: readonly string[];
} & ({ readonly owned: true } | { readonly owned: false; readonly url: string; readonly arn: string });

/** A function of the service, as its mappings need it. */
export interface DurableFunction {
  /** Its key under `functions`. */
  readonly functionKey: string;
  /** `file.export`, as in serverless.yml. */
  readonly handler: string;
  readonly runtime: string;
  readonly timeoutSeconds: number;
  readonly reservedConcurrency: number | undefined;
}

/** What every step has, whoever serves it. Durations in seconds. */
export interface ServiceStep {
  /** Its path in serverless.yml: `functions.chargeCard.events[0].durableStep`, `custom.durable.containerSteps[0]`. */
  readonly path: string;
  readonly name: string;
  /** What its queue brings: tasks of a step, or turns of a workflow. */
  readonly kind: 'step' | 'workflow';
  readonly partition: string | undefined;
  /** Routing token of name and partition. */
  readonly token: string;
  /** Undefined: a worker in a container serves the step. */
  readonly function: DurableFunction | undefined;
  readonly queues: { readonly tasks: string; readonly deadLetters: string; readonly parked: string };
  readonly maxReceiveCount: number;
  readonly visibilityTimeoutSeconds: number;
  readonly fifo: boolean;
}

/** One `durableStep` or `durableWorkflow` event: a workflow's turns come by a tasks queue as a step's tasks do. */
export interface DurableStep extends ServiceStep {
  readonly function: DurableFunction;
  readonly batchSize: number;
  readonly batchWindowSeconds: number;
  readonly maximumConcurrency: number | undefined;
  readonly provisionedPollers: { readonly minimum: number; readonly maximum: number } | undefined;
  readonly enabled: boolean;
}

/** Every step of a service, whoever serves it. */
export function allSteps({ steps, containerSteps }: Pick<DurableService, 'steps' | 'containerSteps'>): readonly ServiceStep[] {
  return [...steps, ...containerSteps];
}
