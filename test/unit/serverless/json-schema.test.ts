import { Ajv } from 'ajv';
import fc from 'fast-check';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { ConfigurationError } from '../../../src/errors.ts';
import type { DurableFunctionEvent, DurableSettings } from '../../../src/index.ts';
import { EVENT_KINDS } from '../../../src/serverless/config/event-kinds.ts';
import { type JsonSchema, serverlessJsonSchema } from '../../../src/serverless/config/json-schema.ts';
import { DEAD_LETTER_FIELDS, SERVICE_FIELDS, STEP_FIELDS } from '../../../src/serverless/config/schema.ts';
import { DURABLE_EVENTS } from '../../../src/serverless/config/unread-settings.ts';
import { readDurableService } from '../../../src/serverless/read-service.ts';

const schema = serverlessJsonSchema();
const isValid = new Ajv({ allErrors: true }).compile(schema);

/** Every description of a schema: a complaint of the tables ends with one. */
function descriptionsIn({ description, properties = {}, items, anyOf = [], additionalProperties }: JsonSchema): string[] {
  const inner = [...Object.values(properties), ...anyOf, ...(items === undefined ? [] : [items])];
  if (typeof additionalProperties === 'object') inner.push(additionalProperties);
  return [...(description === undefined ? [] : [description]), ...inner.flatMap(descriptionsIn)];
}

const DESCRIPTIONS = descriptionsIn(schema);

/**
 * What the plugin says of kinds and keys, which a schema can say too; not what it says of two settings together, or of
 * AWS.
 */
function complaints(service: unknown): string[] {
  try {
    readDurableService(service);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.message
      .split('\n')
      .slice(1)
      .filter(
        (line) =>
          DESCRIPTIONS.some((description) => line.endsWith(`(${description})`)) ||
          /unknown key|belongs to a mapping|expected the name of a |expected true, or an object|: expected an object of|as it stands under functions/.test(
            line,
          ),
      );
  }
}

const ARN = 'arn:aws:sqs:eu-west-1:123456789012:durable-results';
const text = fc.constantFrom(
  '',
  'name',
  ARN,
  'arn:aws:sns:eu-west-1:1:topic',
  'arn:aws:kms:eu-west-1:1:key/a',
  'durable/',
  '/x',
  'https://sqs.aws/1/q',
);
const scalar = fc.oneof(text, fc.boolean(), fc.integer({ min: -5, max: 50_000 }), fc.double({ min: 0.1, max: 20, noInteger: true }));
const names = [
  ...new Set([SERVICE_FIELDS, STEP_FIELDS, DEAD_LETTER_FIELDS].flatMap((fields) => Object.keys(fields))),
  'url',
  'arn',
  'minimum',
  'maximum',
  'retentionDays',
  'throttles',
  'functions',
  'nonsense',
];
const object = fc.dictionary(fc.constantFrom(...names), scalar, { maxKeys: 3 });
const anything = fc.oneof(scalar, object, fc.array(fc.oneof(scalar, object), { maxLength: 2 }));

const serviceWith = (durable: unknown, ...events: unknown[]) => ({
  provider: { runtime: 'nodejs24.x', timeout: 10 },
  custom: { durable },
  functions: { worker: { handler: 'a.handler', events } },
});

describe('the JSON schema of serverless.yml', () => {
  it.each(Object.keys(SERVICE_FIELDS))('custom.durable.%s: accepts what the plugin accepts, and nothing else', (name) => {
    fc.assert(
      fc.property(anything, (value) => {
        const service = serviceWith({ [name]: value }, { durableStep: 'step' });
        expect([isValid(service), value]).toEqual([complaints(service).length === 0, value]);
      }),
      { numRuns: 300 },
    );
  });

  it.each(DURABLE_EVENTS)('%s: accepts what the plugin accepts, and nothing else', (event) => {
    const fields = event === 'durableDeadLetters' ? DEAD_LETTER_FIELDS : STEP_FIELDS;
    const settings = fc.tuple(fc.constantFrom(...Object.keys(fields), 'nonsense'), anything).map(([name, value]) => ({
      ...(event === 'durableDeadLetters' ? {} : { name: 'step' }),
      [name]: value,
    }));
    fc.assert(
      fc.property(fc.oneof(anything, settings, settings), (value) => {
        const service = serviceWith({}, { [event]: value });
        expect([isValid(service), value]).toEqual([complaints(service).length === 0, value]);
      }),
      { numRuns: 1_000 },
    );
  });

  it('accepts variables everywhere: what they stand for is known later', () => {
    const durable = Object.fromEntries(Object.keys(SERVICE_FIELDS).map((name) => [name, `\${env:${name}}`]));
    expect([isValid(serviceWith(durable, { durableStep: { name: 'a', batchSize: `\${env:SIZE}` } })), isValid.errors]).toEqual([
      true,
      null,
    ]);
  });

  it.each([
    ['a number in quotes', { durableStep: { name: 'a', batchSize: '10' } }],
    ['a key without a value', { durableStep: { name: 'a', fifo: null } }],
  ])('refuses %s, which the plugin lets pass', (_what, event) => {
    expect(isValid(serviceWith({}, event))).toBe(false);
    expect(complaints(serviceWith({}, event))).toEqual([]);
  });

  it('leaves alone what belongs to others', () => {
    const functions = { api: { handler: 'a.b', events: [{ httpApi: '*' }, 'schedule'] } };
    expect(isValid({ service: 'shop', custom: { esbuild: {} }, functions })).toBe(true);
  });

  it('knows every event of the plugin', () => {
    expect(Object.keys(EVENT_KINDS)).toEqual([...DURABLE_EVENTS]);
  });
});

describe('types for a serverless.ts', () => {
  it('accept what the tables accept', () => {
    const settings: DurableSettings = {
      prefix: 'shop',
      alarms: { throttles: 10 },
      containerSteps: ['a', { name: 'b', fifo: true }],
      kmsKey: true,
    };
    const events: DurableFunctionEvent[] = [
      { durableStep: 'a' },
      { durableStep: { name: 'a', batchSize: 5, provisionedPollers: { minimum: 2, maximum: 4 } } },
      { durableWorkflow: { name: 'w', enabled: false } },
      { durableDeadLetters: true },
    ];
    const [, ...rest] = events;
    expect(complaints({ ...serviceWith(settings, ...rest), functions: { worker: { handler: 'a.handler', events: rest } } })).toEqual([]);
    expectTypeOf<{ batchSize: number }>().not.toExtend<Extract<DurableFunctionEvent, { durableStep: unknown }>['durableStep']>();
    expectTypeOf<{ metrics: string }>().not.toExtend<DurableSettings>();
    expectTypeOf<{ kmsKey: false }>().not.toExtend<DurableSettings>();
  });
});
