import type { FunctionEvent, InvocationSettings } from '../lambda-runtime.ts';

/** What the parent asks of a function's process, one thing at a time. Sent as JSON. */
export type ToProcess =
  | { readonly kind: 'load'; readonly file: string; readonly exportName: string; readonly fromDefault: boolean }
  | { readonly kind: 'invoke'; readonly event: FunctionEvent; readonly settings: InvocationSettings };

/** What the process says. `fatal` may come at any time, the others each answer a question. */
export type FromProcess =
  | { readonly kind: 'loaded'; readonly handler: HandlerKind; readonly debugged: boolean }
  | { readonly kind: 'not-loaded'; readonly problem: string }
  /** `json` is absent for undefined. */
  | { readonly kind: 'returned'; readonly json?: string }
  | { readonly kind: 'threw'; readonly errorName: string; readonly stack: string }
  /** It is about to end itself. `detail` is the error with its stack. */
  | { readonly kind: 'fatal'; readonly reason: string; readonly detail: string };

/**
 * What a handler is: one of this package, with the names of the steps or workflows that it serves, or any other
 * function.
 */
export type HandlerKind =
  | { readonly kind: 'steps' | 'workflows'; readonly names: readonly string[] }
  | { readonly kind: 'dead-letters' }
  | { readonly kind: 'engine' }
  | { readonly kind: 'other' };
