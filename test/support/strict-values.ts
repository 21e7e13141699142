/** Why AWS would refuse a request: its own error code, and words for a human. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
}

/** A JSON object of SQS's protocol. */
export type Fields = Readonly<Record<string, unknown>>;

/**
 * Bytes of a message, and of all messages of a batch.
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
 */
export const MAX_BYTES = 1_048_576;
/** Twelve hours. */
export const MAX_VISIBILITY_SECONDS = 43_200;

export const invalid = (message: string): Refusal => ({ code: 'InvalidParameterValue', message });

export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Refuses what is not one of the known names. */
export function refusedNames(where: string, names: unknown, known: ReadonlySet<unknown>): Refusal | undefined {
  const unknown = listOf(names).find((name) => !known.has(name));
  return unknown === undefined ? undefined : { code: 'InvalidAttributeName', message: `${where} knows no ${JSON.stringify(unknown)}` };
}

/** Refuses what is given and no integer of the range. */
export function optionalRange(name: string, value: unknown, minimum: number, maximum: number): Refusal | undefined {
  return value === undefined ? undefined : range(name, value, minimum, maximum);
}

export function range(name: string, value: unknown, minimum: number, maximum: number): Refusal | undefined {
  const legal = Number.isInteger(value) && Number(value) >= minimum && Number(value) <= maximum;
  return legal ? undefined : invalid(`${name} ${JSON.stringify(value)}: an integer from ${minimum} to ${maximum}`);
}
