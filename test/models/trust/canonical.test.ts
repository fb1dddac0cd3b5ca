import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalJson, parseCanonical } from '../../../core/protocol/canonical.ts';

describe('RFC 8785', () => {
  test('the sample of section 3.2.2', () => {
    const sample = String.raw`{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`;
    expect(canonicalJson(JSON.parse(sample))).toBe(
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
    );
  });

  test('keys are sorted by UTF-16 code units, as in section 3.2.3', () => {
    const sample = String.raw`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`;
    expect(Object.values(JSON.parse(canonicalJson(JSON.parse(sample))))).toHaveLength(7);
    expect(
      canonicalJson(JSON.parse(sample))
        .match(/"[^"]*":"[^"]*"/g)
        ?.map((pair) => pair.split('":"')[1]),
    ).toEqual([
      'Carriage Return"',
      'One"',
      'Control"',
      'Latin Small Letter O With Diaeresis"',
      'Euro Sign"',
      'Emoji: Grinning Face"',
      'Hebrew Letter Dalet With Dagesh"',
    ]);
  });

  /** Appendix B. */
  test.each([
    ['0000000000000000', '0'],
    ['8000000000000000', '0'],
    ['0000000000000001', '5e-324'],
    ['7fefffffffffffff', '1.7976931348623157e+308'],
    ['4340000000000000', '9007199254740992'],
    ['4430000000000000', '295147905179352830000'],
    ['44b52d02c7e14af5', '9.999999999999997e+22'],
    ['44b52d02c7e14af6', '1e+23'],
    ['444b1ae4d6e2ef4f', '999999999999999900000'],
    ['444b1ae4d6e2ef50', '1e+21'],
    ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
    ['3eb0c6f7a0b5ed8d', '0.000001'],
    ['41b3de4355555553', '333333333.3333332'],
    ['43143ff3c1cb0959', '1424953923781206.2'],
  ])('number %s', (bits, text) => {
    expect(canonicalJson(Buffer.from(bits, 'hex').readDoubleBE())).toBe(text);
  });
});

describe('one text a value', () => {
  test.each([
    ['duplicate keys', '{"a":1,"a":1}'],
    ['duplicate keys, one escaped', '{"a":1,"\\u0061":1}'],
    ['__proto__ twice', '{"__proto__":1,"__proto__":2}'],
    ['keys not sorted', '{"b":1,"a":1}'],
    ['white space', '{"a": 1}'],
    ['a line at the end', '{"a":1}\n'],
    ['a byte order mark', '\ufeff{"a":1}'],
    ['an escape where none is needed', '"\\u0061"'],
    ['an escaped slash', '"\\/"'],
    ['upper-case hexadecimals', '"\\u000F"'],
    ['a number beyond doubles', '1e400'],
    ['digits that a double loses', '9007199254740993'],
    ['-0', '-0'],
    ['1.0', '1.0'],
    ['1E2', '1E2'],
    ['+1', '+1'],
    ['NaN', 'NaN'],
    ['a lone surrogate', '"\\ud800"'],
    ['nothing', ''],
    ['two values', '1 2'],
    ['nested 33 deep', `${'['.repeat(34)}1${']'.repeat(34)}`],
    ['nested 90,000 deep', '['.repeat(90_000) + ']'.repeat(90_000)],
  ])('%s is refused', (_, text) => {
    expect(parseCanonical(text)).toHaveProperty('fault');
  });

  test('confusable characters are others: composed and decomposed é are two values', () => {
    expect(parseCanonical('"\u00e9"')).toEqual({ value: '\u00e9' });
    expect(parseCanonical('"e\u0301"')).toEqual({ value: 'e\u0301' });
    expect(canonicalJson('\u00e9')).not.toBe(canonicalJson('e\u0301'));
  });

  test('__proto__ is a key as any other, and reaches nothing', () => {
    const parsed = parseCanonical('{"__proto__":{"polluted":true}}');
    expect(parsed).toHaveProperty('value');
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

test('whatever comes in, parsing does not throw, and canonical text stays as it is', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), (text) => {
      const parsed = parseCanonical(text);
      if ('value' in parsed) expect(canonicalJson(parsed.value)).toBe(text);
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      const text = canonicalJson(value);
      const parsed = parseCanonical(text);
      expect(parsed).toHaveProperty('value');
      expect('value' in parsed && canonicalJson(parsed.value)).toBe(text);
    }),
    { numRuns: 500 },
  );
});
