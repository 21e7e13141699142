import type { WorkflowDecision } from '@dudousxd/nestjs-durable-core';
import { InvalidMessageError } from '../../errors.ts';
import { turnIds } from '../../step/turn-tasks.ts';
import { decodeStepResult, type StepResult } from '../../wire/step-result.ts';
import { isOfTurn } from '../../wire/turn-shape.ts';
import { decodeWorkflowDecision } from '../../wire/workflow-decision.ts';
import type { StepIds } from '../engine/turns.ts';

/** What a message of the results queue holds: the result of a step, or the decision of a turn. */
export type Answer =
  | { readonly result: StepResult; readonly decision?: undefined }
  | { readonly result?: undefined; readonly decision: WorkflowDecision };

/** @throws InvalidMessageError */
export function decodeAnswer(body: string): Answer {
  try {
    return { result: decodeStepResult(body) };
  } catch (error) {
    if (!(error instanceof InvalidMessageError) || !isOfTurn(body)) throw error;
    return { decision: decodeWorkflowDecision(body) };
  }
}

export function idsOf({ result, decision }: Answer): StepIds {
  return decision === undefined ? result : turnIds(decision);
}
