import type { EngineEvent, WorkflowRun } from '@dudousxd/nestjs-durable-core';

/** What `attach` needs of an engine; a `WorkflowEngine` has it. */
export interface AttachableEngine {
  subscribe(listener: (event: EngineEvent) => void): () => void;
  getRun?(runId: string): Promise<Pick<WorkflowRun, 'status' | 'namespace'> | null>;
  resume?(runId: string): Promise<unknown>;
}
