import fc from 'fast-check';

/** Any UTF-16 unit, with those that trouble SQS or its emulators more often than chance would have them. */
export const utf16Unit = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) },
  {
    weight: 2,
    arbitrary: fc.constantFrom('\uFFFE', '\uFFFF', '\uFFFD', '\uD83D', '\uDE00', '😀', '\u0000', '\u001F', '\u007F', '"', '\\'),
  },
  { weight: 2, arbitrary: fc.constantFrom('a', 'Z', '0', ' ', 'é', '\u2028') },
);

export const anyText = fc.string({ unit: utf16Unit });

/**
 * Any value that JSON can hold, in any text that JavaScript can hold; keys such as `__proto__` included.
 *
 * No key is a lone backslash: V8 13.6 (Node 24) then takes the next key of one escaped character, after the same keys,
 * for a backslash too. `JSON.parse('{"a":1,"\\\\":2}'); JSON.parse('{"a":1,"\\n":2}')` gives a key `\`; Node 20 gives a
 * line feed.
 */
export const anyJson = fc.jsonValue({ stringUnit: utf16Unit }).filter((value) => !/[{,]"\\\\":/.test(JSON.stringify(value)));

/** Text that is an id in practice: never empty. */
export const anyId = fc.string({ unit: utf16Unit, minLength: 1, maxLength: 60 });
