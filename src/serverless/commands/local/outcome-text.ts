import { oneLine } from '../output/text.ts';
import type { Brings } from './mapped-queues.ts';
import type { StepOutcome } from './step-outcomes.ts';

/**
 * Codes of this package: their messages hold ids, kinds and paths, and say what to do. A step's own code says enough by
 * itself.
 */
const OWN_CODES: ReadonlySet<string> = new Set([
  'no_handler',
  'invalid_input',
  'invalid_output',
  'unserializable_output',
  'result_too_large',
  'lambda_timeout',
  'payload_store',
  'no_workflow',
  'nondeterminism',
  'suspension_caught',
  'unsupported_in_workflow',
]);

const TEXTS: Readonly<Record<Brings, (outcome: StepOutcome) => string>> = {
  tasks: stepText,
  'dead letters': deadLetterText,
  answers: answerText,
};

/** Of a fan-out. */
const MOST_SHOWN = 3;

/**
 * What became of the records of an invocation: `ok`, `failed: card_declined`, `8 ok, 2 redelivered after the visibility
 * timeout`.
 */
export function outcomeText(outcomes: readonly StepOutcome[], brings: Brings): string {
  const counts = new Map<string, number>();
  for (const outcome of outcomes) {
    const text = TEXTS[brings](outcome);
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  if (outcomes.length === 1) return [...counts.keys()].join();
  return [...counts].map(([text, count]) => `${count} ${text}`).join(', ');
}

function stepText(outcome: StepOutcome): string {
  switch (outcome.outcome) {
    case 'ok':
      return 'ok';
    case 'waits':
      return `waits for ${waitsForText(outcome.waitsFor)}`;
    case 'failed':
      return `failed: ${reasonOf(outcome)}`;
    case 'redelivered':
      return 'redelivered after the visibility timeout';
    case 'taken':
      return 'taken';
    case 'no result':
      return outcome.runId === undefined ? 'deleted: it was no task' : 'deleted without a result: its run waits for ever';
  }
}

/** When what the engine gives back comes again, it says itself. */
function answerText({ outcome }: StepOutcome): string {
  return outcome;
}

function waitsForText(all: readonly string[]): string {
  // Of the steps of a fan-out that are still out, no turn says anything.
  if (all.length === 0) return 'what is under way';
  const shown = [...new Set(all)].slice(0, MOST_SHOWN);
  const text = shown.map((one) => oneLine(one)).join(', ');
  return all.length > shown.length ? `${text}, … (${all.length})` : text;
}

/** To tell the engine that a step failed is what the function of dead letters is for. */
function deadLetterText({ outcome }: StepOutcome): string {
  if (outcome === 'redelivered') return 'redelivered after the visibility timeout';
  return outcome === 'no result' ? 'parked' : 'parked, engine told';
}

function reasonOf({ code, message }: { readonly code?: string; readonly message: string }): string {
  const [firstLine = ''] = message.split('\n', 1);
  if (code === undefined) return oneLine(firstLine);
  return OWN_CODES.has(code) ? `${code}: ${oneLine(message)}` : oneLine(code);
}
