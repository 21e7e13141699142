import { DEAD_LETTER_FIELDS, ENGINE_FIELDS, type Kind, NAME, object, STEP_FIELDS } from './schema.ts';
import type { DurableEvent } from './unread-settings.ts';

/** What may stand behind each event of this plugin. A value is one of these. */
export const EVENT_KINDS = {
  durableStep: [NAME, object(STEP_FIELDS)],
  durableWorkflow: [NAME, object(STEP_FIELDS)],
  durableDeadLetters: [{ is: 'constant', value: true }, object(DEAD_LETTER_FIELDS)],
  durableEngine: [{ is: 'constant', value: true }, object(ENGINE_FIELDS)],
} as const satisfies Readonly<Record<DurableEvent, readonly Kind[]>>;
