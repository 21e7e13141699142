/** The durable steps of a serverless.yml, checked and with every default filled in. Resources and commands read this. */
export interface DurableService {
  /** Prefix of all queue names, namespace folded in. */
  readonly prefix: string;
  readonly resultsQueue: ResultsQueue;
  readonly steps: readonly DurableStep[];
  /** The function behind every dead-letter queue, where there is one. */
  readonly deadLetters: DurableFunction | undefined;
}

/** One results queue per engine store; several services share it, and only one may own it. */
export type ResultsQueue = { readonly name: string; readonly fifo: boolean } & (
  | { readonly owned: true }
  | { readonly owned: false; readonly url: string; readonly arn: string }
);

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

/** One `durableStep` event. Durations in seconds. */
export interface DurableStep {
  /** Its path in serverless.yml: `functions.chargeCard.events[0].durableStep`. */
  readonly path: string;
  readonly name: string;
  readonly partition: string | undefined;
  /** Routing token of name and partition. */
  readonly token: string;
  readonly function: DurableFunction;
  readonly queues: { readonly tasks: string; readonly deadLetters: string; readonly parked: string };
  readonly batchSize: number;
  readonly batchWindowSeconds: number;
  readonly maximumConcurrency: number | undefined;
  readonly provisionedPollers: { readonly minimum: number; readonly maximum: number } | undefined;
  readonly maxReceiveCount: number;
  readonly visibilityTimeoutSeconds: number;
  readonly fifo: boolean;
  readonly enabled: boolean;
}
