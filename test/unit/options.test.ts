import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ConfigurationError } from '../../src/errors.ts';
import {
  aBoolean,
  aClientConfig,
  aFunction,
  aLogger,
  anInteger,
  anObject,
  anSqsClient,
  aSchema,
  aString,
  aUrl,
  aUrlOrFunction,
  checkOptions,
  type OptionRule,
} from '../../src/options.ts';

const fn = () => 1;
const standard = (fields: unknown) => ({ '~standard': fields });

describe.each<[string, OptionRule, string, readonly unknown[], readonly unknown[]]>([
  ['string', aString, 'a non-empty string', ['a'], ['', 1, null, {}]],
  ['boolean', aBoolean, 'true or false', [true, false], ['true', 0, null]],
  ['function', aFunction, 'a function', [fn, class {}], [{}, 'fn', null]],
  ['object', anObject, 'an object', [{}, new Date()], [null, [], fn, 'a']],
  ['logger', aLogger, 'a logger with debug, info, warn and error', [console], [null, {}, fn, { ...console, debug: undefined }]],
  ['sqsClient', anSqsClient, 'an SQSClient', [{ send: fn }], [null, {}, fn, 'client']],
  [
    'schema',
    aSchema,
    'a Standard Schema (zod, valibot, arktype, …)',
    [z.string(), v.string(), type('string'), standard({ validate: fn })],
    [null, {}, fn, 'string', standard(null), standard({}), standard(fn)],
  ],
  ['clientConfig', aClientConfig, 'the configuration of a client, not a client', [{}, { region: 'r' }], [null, [], fn, { send: fn }]],
  ['url', aUrl, 'the URL of a queue', ['http://localhost:9324/1/q', 'https://q.example/r'], ['q', '', null, fn, 'arn:aws:sqs:r:1:q']],
  [
    'urlOrFunction',
    aUrlOrFunction,
    'the URL of a queue, or a function that gives it',
    ['https://q.example/r', fn],
    ['q', '', null, {}, 'arn:aws:sqs:r:1:q'],
  ],
  ['integer(1)', anInteger(1), 'an integer of at least 1', [1, 2 ** 53 - 1], [0, 1.5, 2 ** 53, Number.POSITIVE_INFINITY, '1', 1n, null]],
  ['integer(0, 20)', anInteger(0, 20), 'an integer from 0 to 20', [0, 20, -0], [-1, 21, Number.NaN]],
])('the rule is.%s', (_name, rule, expected, good, bad) => {
  it(`accepts ${expected} and nothing else`, () => {
    expect(rule.expected).toBe(expected);
    for (const value of good) expect(rule.accepts(value)).toBe(true);
    for (const value of [...bad, undefined]) expect(rule.accepts(value)).toBe(false);
  });
});

describe('checkOptions', () => {
  const rules = { size: anInteger(1), name: aString };
  const messageOf = (options: unknown) => {
    try {
      checkOptions('Thing', options, rules);
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigurationError);
      return error instanceof Error ? error.message : undefined;
    }
    return undefined;
  };

  it('accepts what fits, and options that are absent or undefined', () => {
    for (const options of [{}, { size: 1 }, { size: undefined, name: 'n' }, Object.create(null)])
      expect(messageOf(options)).toBeUndefined();
  });

  it.each([
    [undefined, 'Thing: expected options to be an object, got nothing'],
    [null, 'Thing: expected options to be an object, got null'],
    [[], 'Thing: expected options to be an object, got an array'],
    ['x', 'Thing: expected options to be an object, got a string'],
    [{ Size: 1 }, 'Thing: unknown option "Size", expected one of name, size'],
    [{ toString: 1 }, 'Thing: unknown option "toString", expected one of name, size'],
    [{ size: 0 }, 'Thing: expected size to be an integer of at least 1, got 0'],
    [{ size: null }, 'Thing: expected size to be an integer of at least 1, got null'],
    [{ size: 'x'.repeat(80) }, `Thing: expected size to be an integer of at least 1, got "${'x'.repeat(80)}"`],
    [{ size: 'x'.repeat(81) }, 'Thing: expected size to be an integer of at least 1, got a string'],
    [{ size: { card: 4111 } }, 'Thing: expected size to be an integer of at least 1, got an object'],
    [{ name: '' }, 'Thing: expected name to be a non-empty string, got an empty string'],
    [{ name: false }, 'Thing: expected name to be a non-empty string, got false'],
  ])('refuses %o (case %#)', (options, message) => {
    expect(messageOf(options)).toBe(message);
  });
});
