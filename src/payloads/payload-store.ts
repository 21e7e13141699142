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

/** What a stored body is, for its key and for error messages. */
export interface PayloadSubject {
  readonly kind: 'task' | 'result';
  readonly runId: string;
  readonly stepId: string;
}

/** Where a stored body is. */
export interface PayloadPointer {
  readonly bucket: string;
  readonly key: string;
}
