import { EVENT_KINDS } from './event-kinds.ts';
import { type Field, type Fields, type Kind, SERVICE_FIELDS } from './schema.ts';

/** The part of JSON schema (draft 7, which editors know) that is used here. */
export interface JsonSchema {
  readonly $schema?: string;
  readonly title?: string;
  readonly description?: string;
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'boolean';
  readonly const?: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly pattern?: string;
  readonly anyOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
}

/** `${env:SIZE}`: what a variable stands for is known when the plugin reads the file. */
const VARIABLE: JsonSchema = { type: 'string', pattern: '\\$\\{.+\\}' };

/**
 * The durable parts of a serverless.yml as a JSON schema, for editors, made of the tables by which the plugin checks
 * them. What belongs to the deploy tool or to other plugins it leaves alone.
 *
 * Stricter than the plugin in two things that an editor had better show: a number or boolean in quotes, and a key
 * without a value.
 */
export function serverlessJsonSchema(): JsonSchema {
  const events = Object.entries(EVENT_KINDS).map(([name, kinds]) => [name, anyOf(kinds, EVENT_DESCRIPTIONS[name])] as const);
  // No type: events of others may be texts.
  const event: JsonSchema = { properties: Object.fromEntries(events) };
  const fn: JsonSchema = { type: 'object', properties: { events: { type: 'array', items: event } } };
  const functions: JsonSchema = { type: 'object', additionalProperties: fn };
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Durable steps and workflows in a serverless.yml (durable-sqs-lambda)',
    type: 'object',
    properties: {
      custom: {
        type: 'object',
        properties: { durable: objectSchema(SERVICE_FIELDS, 'Settings of durable-sqs-lambda for the whole service.') },
      },
      functions: { anyOf: [functions, { type: 'array', items: functions }] },
    },
  };
}

const EVENT_DESCRIPTIONS: Readonly<Record<string, string>> = {
  durableStep: 'The function is the worker of this step: its queue, dead letters, mapping, rights and alarms are made.',
  durableWorkflow: 'The function runs the code of this workflow: its queue, dead letters, mapping, rights and alarms are made.',
  durableDeadLetters: 'The function handles the dead letters of all steps and workflows of the service.',
  durableEngine: 'The function is the engine: its mappings of results, starts and wake-ups, its schedule, rights and alarms are made.',
};

function objectSchema(fields: Fields, description?: string): JsonSchema {
  const required = Object.keys(fields).filter((name) => fields[name]?.required === true);
  return {
    ...(description === undefined ? {} : { description }),
    type: 'object',
    properties: Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, fieldSchema(field)])),
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
}

function fieldSchema({ accepts, description }: Field): JsonSchema {
  return anyOf(accepts, description);
}

function anyOf(kinds: readonly Kind[], description: string | undefined): JsonSchema {
  return { ...(description === undefined ? {} : { description }), anyOf: [...kinds.map(kindSchema), VARIABLE] };
}

function kindSchema(kind: Kind): JsonSchema {
  switch (kind.is) {
    case 'text':
      return { type: 'string', minLength: 1, ...(kind.pattern === undefined ? {} : { pattern: kind.pattern.source }) };
    case 'integer':
      return { type: 'integer', minimum: kind.minimum, maximum: kind.maximum };
    case 'boolean':
      return { type: 'boolean' };
    case 'constant':
      return { const: kind.value };
    case 'object':
      return objectSchema(kind.fields);
    case 'list':
      return { type: 'array', items: anyOf(kind.items, undefined) };
  }
}
