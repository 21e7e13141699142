/** Where bodies live that are too large for a message. */
export interface PayloadStore {
  /** Bodies above so many bytes (attributes counted in) are stored. At most 1,048,576, SQS's own limit. */
  readonly thresholdBytes: number;
  /**
   * Stores a body; resolves once it can be read.
   * @throws PayloadStoreError
   */
  put(body: string, about: PayloadSubject): Promise<PayloadPointer>;
  /**
   * Reads a stored body.
   * @throws PayloadStoreError
   */
  get(pointer: PayloadPointer): Promise<string>;
}

/** Tasks and results of steps; turns of workflows and their decisions; starts of runs. */
export type PayloadKind = 'task' | 'result' | 'turn' | 'decision' | 'start';

/** What a stored body is, for its key and for error messages. */
export interface PayloadSubject {
  readonly kind: PayloadKind;
  readonly runId: string;
  /** Of a turn and its decision: the turn's `taskId`. Of a start: the workflow. */
  readonly stepId: string;
  /**
   * Position of the step in its run, 0 of a turn: with it in the key, a worker that cannot read the object can still
   * fail the step.
   */
  readonly seq?: number;
}

/** Where a stored body is. */
export interface PayloadPointer {
  readonly bucket: string;
  readonly key: string;
}
