import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../../../src/errors.ts';
import {
  DEFAULT_PREFIX,
  deadLetterQueueName,
  effectivePrefix,
  MAX_QUEUE_NAME_LENGTH,
  parkedQueueName,
  type QueueNameOptions,
  resultsDeadLetterQueueName,
  resultsQueueName,
  tasksQueueName,
  tokenOfTasksQueue,
} from '../../../src/topology/queue-names.ts';

const LONGEST_PREFIX = 'p'.repeat(38);
const FALLBACK = /-x[0-9a-f]{20}(\.fifo)?$/;

describe('names as documented', () => {
  it.each([
    ['payments.charge-card', 'durable-tasks-payments--charge-card'],
    ['charge@acme', 'durable-tasks-charge_at_acme'],
    ['py_echo', 'durable-tasks-py_echo'],
    ['payments.charge-card@acme', 'durable-tasks-payments--charge-card_at_acme'],
    ['a.b.c', 'durable-tasks-a--b--c'],
    ['PascalCase-9', 'durable-tasks-PascalCase-9'],
    ['-', 'durable-tasks--'],
    ['.-', 'durable-tasks----'],
    ['a...-b', 'durable-tasks-a-------b'],
    ['x0123456789abcdef0123', 'durable-tasks-x0123456789abcdef0123'],
  ])('%s → %s', (token, name) => {
    expect(tasksQueueName(token)).toBe(name);
    expect(tasksQueueName(token, DEFAULT_PREFIX, { fifo: true })).toBe(`${name}.fifo`);
    expect(tokenOfTasksQueue(name)).toBe(token);
    expect(tokenOfTasksQueue(`${name}.fifo`)).toBe(token);
  });

  it('has the other kinds beside it', () => {
    expect(deadLetterQueueName('charge@acme')).toBe('durable-dead-letters-charge_at_acme');
    expect(parkedQueueName('charge@acme', 'shop')).toBe('shop-parked-charge_at_acme');
    expect(resultsQueueName()).toBe('durable-results');
    expect(resultsDeadLetterQueueName('shop')).toBe('shop-results-dead-letters');
    expect(resultsQueueName('shop', { fifo: true })).toBe('shop-results.fifo');
    expect(resultsDeadLetterQueueName('shop', { fifo: true })).toBe('shop-results-dead-letters.fifo');
  });

  it.each([
    'already--double',
    'meet_at_noon',
    '-.',
    'a-...',
    '_@_at_',
    'with space',
    'ümlaut',
    'line\nbreak',
    'trailing\n',
    '😀',
    'a:b',
    'x'.repeat(200),
    'step-x0123456789abcdef0123',
  ])('falls back for %j', (token) => {
    const name = tasksQueueName(token);
    expect(name).toMatch(FALLBACK);
    expect(tokenOfTasksQueue(name)).toBeUndefined();
  });

  it('keeps the beginning readable and pins the hash: deployed queues must be found again by the next release', () => {
    expect(tasksQueueName('a b')).toBe('durable-tasks-a-b-xc8687a08aa5d6ed20443');
  });

  it('cuts the readable part to what fits exactly', () => {
    const room = MAX_QUEUE_NAME_LENGTH - 'durable-tasks-'.length;
    expect(tasksQueueName('x'.repeat(room))).toBe(`durable-tasks-${'x'.repeat(room)}`);
    expect(tasksQueueName('x'.repeat(room + 1))).toMatch(/^durable-tasks-x{44}-x[0-9a-f]{20}$/);
    expect(tasksQueueName('x'.repeat(room), DEFAULT_PREFIX, { fifo: true })).toMatch(/^durable-tasks-x{39}-x[0-9a-f]{20}\.fifo$/);
    expect(deadLetterQueueName('x'.repeat(99), LONGEST_PREFIX, { fifo: true })).toMatch(/^p{38}-dead-letters-x-x[0-9a-f]{20}\.fifo$/);
  });

  it('tells tokens apart that differ in case, for SQS does', () => {
    expect(tasksQueueName('Charge')).not.toBe(tasksQueueName('charge'));
  });
});

describe('tokenOfTasksQueue', () => {
  it.each([
    ['another prefix', 'shop-tasks-a'],
    ['another kind', 'durable-parked-a'],
    ['the results queue', 'durable-results'],
    ['no token', 'durable-tasks-'],
    ['no token, fifo', 'durable-tasks-.fifo'],
    ['a fallback', 'durable-tasks-a-x0123456789abcdef0123'],
    ['a fallback, fifo', 'durable-tasks-a-x0123456789abcdef0123.fifo'],
    ['illegal characters', 'durable-tasks-a b'],
    ['a name longer than AWS allows', `durable-tasks-${'a'.repeat(70)}`],
    ['half a surrogate pair', 'durable-tasks-\uD83D'],
  ])('knows no token for %s', (_what, name) => {
    expect(tokenOfTasksQueue(name)).toBeUndefined();
  });

  it('decodes under a prefix of its own', () => {
    expect(tokenOfTasksQueue('shop-eu-tasks-a--b', 'shop-eu')).toBe('a.b');
  });
});

describe('what is refused', () => {
  it.each([
    ['', 'expected prefix to be one or more of A-Z a-z 0-9 _ - (that is all AWS allows in a queue name), got ""'],
    ['my.app', 'expected prefix to be one or more of A-Z a-z 0-9 _ - (that is all AWS allows in a queue name), got "my.app"'],
    ['app\n', 'expected prefix to be one or more of A-Z a-z 0-9 _ - (that is all AWS allows in a queue name), got "app\n"'],
    ['p'.repeat(39), `expected prefix to be at most 38 characters, so that queue names stay within 80, got "${'p'.repeat(39)}"`],
    ['my-tasks', 'expected prefix to be free of "-tasks", which marks the kind of a queue, got "my-tasks"'],
    ['a-results-b', 'expected prefix to be free of "-results", which marks the kind of a queue, got "a-results-b"'],
    ['a-dead-letters', 'expected prefix to be free of "-dead-letters", which marks the kind of a queue, got "a-dead-letters"'],
    ['-parked', 'expected prefix to be free of "-parked", which marks the kind of a queue, got "-parked"'],
  ])('the prefix %j is refused by every function', (prefix, message) => {
    const calls = [
      () => tasksQueueName('a', prefix),
      () => deadLetterQueueName('a', prefix),
      () => parkedQueueName('a', prefix),
      () => resultsQueueName(prefix),
      () => resultsDeadLetterQueueName(prefix),
      () => tokenOfTasksQueue('a', prefix),
      () => effectivePrefix(prefix),
    ];
    for (const call of calls) expect(call).toThrow(new ConfigurationError(message));
  });

  it('an empty token is refused, and one with half a surrogate pair: all such would share one hash', () => {
    for (const name of [tasksQueueName, deadLetterQueueName, parkedQueueName]) {
      expect(() => name('')).toThrow(new ConfigurationError('expected a routing token, got an empty string'));
      expect(() => name('a\uD83D')).toThrow(
        new ConfigurationError('expected a routing token of well-formed Unicode, got half a surrogate pair'),
      );
    }
  });

  it.each(['tasks', 'my_results', 'DEAD-letters', 'a-task', LONGEST_PREFIX, '_', '-'])('the prefix %j is accepted', (prefix) => {
    expect(resultsQueueName(prefix)).toBe(`${prefix}-results`);
  });
});

describe('effectivePrefix', () => {
  it.each([
    [undefined, undefined, 'durable'],
    ['shop', undefined, 'shop'],
    ['shop', '', 'shop'],
    ['shop', 'default', 'shop'],
    ['shop', 'eu', 'shop-eu'],
    [undefined, 'staging', 'durable-staging'],
  ])('prefix %j and namespace %j give %j', (prefix, namespace, expected) => {
    expect(effectivePrefix(prefix, namespace)).toBe(expected);
  });

  it.each(['a.b', 'a@b', 'tasks', 'x-results', 'n'.repeat(40)])('refuses the namespace %j', (namespace) => {
    expect(() => effectivePrefix('shop', namespace)).toThrow(ConfigurationError);
  });
});

// --------------------------------------------------------------------------------------------------------------------
// Properties. A token carries the tenant: two tokens in one queue would be a leak, so the generators are hostile.

const PIECES = [
  '.',
  '-',
  '--',
  '@',
  '_at_',
  '_',
  'a',
  't',
  'x',
  '-x',
  '0',
  'f',
  '.fifo',
  '-tasks-',
  '-results',
  '-dead-letters',
  '-parked-',
];
const hex = (length: number) => fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
const pieces = fc
  .array(fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...PIECES) }, { weight: 1, arbitrary: hex(20) }), { minLength: 1, maxLength: 12 })
  .map((parts) => parts.join(''));
const wellFormed = fc.string({ unit: 'binary', minLength: 1, maxLength: 30 });
const long = fc
  .tuple(fc.constantFrom('a', 'a.', '@', 'ab-', 'é'), fc.integer({ min: 20, max: 90 }), pieces)
  .map(([unit, times, end]) => unit.repeat(times) + end);
const plain = fc.oneof({ weight: 4, arbitrary: pieces }, { weight: 2, arbitrary: wellFormed }, { weight: 2, arbitrary: long });
const encodedPart = (token: string) => tasksQueueName(token, 'p').slice('p-tasks-'.length);
/** Tokens made of what the encoder gives for other tokens. */
const imitation = fc.oneof(
  plain.map(encodedPart),
  plain.map((token) => encodedPart(encodedPart(token))),
  fc.tuple(plain, hex(20)).map(([token, hash]) => `${encodedPart(token).slice(0, 40)}-x${hash}`),
  long.map((token) => `${token.slice(0, 30)}-x${encodedPart(token).slice(-20)}`),
);
const token = fc.oneof({ weight: 3, arbitrary: plain }, { weight: 1, arbitrary: imitation });

/** Two tokens that are likely to be mixed up. */
const pair = fc.oneof(
  fc.tuple(token, token),
  plain.map((one): [string, string] => [one, encodedPart(one)]),
  long.map((one): [string, string] => [one, encodedPart(one)]),
  long.map((one): [string, string] => [one, `${one}a`]),
  fc
    .tuple(plain, fc.constantFrom(['.', '--'], ['@', '_at_'], ['--', '.'], ['_at_', '@'], ['-', '_'], ['.', '-'], ['é', 'e\u0301']))
    .map(([one, [from = '', to = '']]): [string, string] => [one, one.replaceAll(from, to)]),
  plain.map((one): [string, string] => [one, one.toUpperCase()]),
  fc
    .tuple(plain, plain, fc.constantFrom('.', '-', '--', '@', '_at_'))
    .map(([a, b, glue]): [string, string] => [a + glue + b, `${a}${glue}${glue}${b}`]),
);

const prefix = fc
  .oneof(
    fc.stringMatching(/^[A-Za-z0-9_-]{1,38}$/),
    fc.constantFrom('p', 'durable', '-', '--', 'a-task', 'a-dead', 'a-x', 'tasks', 'results', LONGEST_PREFIX),
    fc
      .tuple(
        fc.constantFrom('p', 'durable', 'p-'),
        fc.constantFrom('', '-', '-t', '-task', '-dead', '-dead-letter', '-result', '-parke', 's', '-x'),
      )
      .map(([a, b]) => a + b),
  )
  .filter((text) => !/-(tasks|results|dead-letters|parked)/.test(text));
const options = fc.record({ fifo: fc.boolean() });
const KINDS = [tasksQueueName, deadLetterQueueName, parkedQueueName] as const;
const PAIRS = { numRuns: 10_000 };

/** Every queue that a prefix and a token can reach, tagged with what it is for. */
function reach(ofPrefix: string, ofToken: string, withOptions: QueueNameOptions): string[] {
  return [
    ...KINDS.map((name) => name(ofToken, ofPrefix, withOptions)),
    resultsQueueName(ofPrefix, withOptions),
    resultsDeadLetterQueueName(ofPrefix, withOptions),
  ];
}

describe('any token', () => {
  it('any token gets names that AWS accepts, under any prefix', () => {
    fc.assert(
      fc.property(token, prefix, options, (ofToken, ofPrefix, withOptions) => {
        for (const name of reach(ofPrefix, ofToken, withOptions)) {
          expect(name).toMatch(withOptions.fifo ? /^[A-Za-z0-9_-]{1,75}\.fifo$/ : /^[A-Za-z0-9_-]{1,80}$/);
        }
      }),
      PAIRS,
    );
  });

  it('shares no queue with another token', () => {
    fc.assert(
      fc.property(pair, prefix, options, ([one, other], ofPrefix, withOptions) => {
        fc.pre(one !== other);
        for (const name of KINDS) expect(name(one, ofPrefix, withOptions)).not.toBe(name(other, ofPrefix, withOptions));
      }),
      PAIRS,
    );
  });

  it('reaches no queue of another kind, its own or another token', () => {
    fc.assert(
      fc.property(pair, prefix, options, ([one, other], ofPrefix, withOptions) => {
        const names = reach(ofPrefix, one, withOptions);
        expect(new Set(names).size).toBe(names.length);
        for (const [index, name] of reach(ofPrefix, other, withOptions).entries()) {
          expect(names.filter((_, kind) => kind !== index)).not.toContain(name);
        }
      }),
      PAIRS,
    );
  });

  it('reaches no queue of another prefix', () => {
    fc.assert(
      fc.property(pair, prefix, prefix, options, ([one, other], first, second, withOptions) => {
        fc.pre(first !== second);
        const theirs = new Set(reach(second, other, withOptions));
        for (const name of reach(first, one, withOptions)) expect(theirs).not.toContain(name);
      }),
      PAIRS,
    );
  });

  it('a token is read back from its queue name where the name is readable, and never misread', () => {
    fc.assert(
      fc.property(token, prefix, options, (ofToken, ofPrefix, withOptions) => {
        const name = tasksQueueName(ofToken, ofPrefix, withOptions);
        // Of the part behind the kind: the token `x` + 20 hex is no fallback, for that has something readable first.
        const isFallback = FALLBACK.test(name.slice(`${ofPrefix}-tasks-`.length));
        expect(tokenOfTasksQueue(name, ofPrefix)).toBe(isFallback ? undefined : ofToken);
      }),
      PAIRS,
    );
  });

  it('keeps a legal name as the published transport has it', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_-]{1,60}$/), (legal) => {
        fc.pre(!/--|_at_|-x[0-9a-f]{20}$/.test(legal));
        expect(tasksQueueName(legal)).toBe(`durable-tasks-${legal}`);
      }),
      PAIRS,
    );
  });
});
