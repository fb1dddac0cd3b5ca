import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonSchema } from '../../../core/protocol/schema-builders.ts';
import { schemaFault } from '../../../core/protocol/schema-check.ts';
import { TRUST_SCHEMAS } from '../../../core/protocol/trust-schemas.ts';
import { validator } from '../../support/schemas.ts';
import {
  bytesOf,
  commandDocumentOf,
  firstRoot,
  releaseDocumentOf,
  rolloutDocumentOf,
  signed,
} from '../../support/trust.ts';

const envelope = JSON.parse(bytesOf(signed(commandDocumentOf(), 'command-a')).toString());
const VALID: Readonly<Record<string, unknown>> = {
  root: firstRoot(),
  release: releaseDocumentOf(),
  rollout: rolloutDocumentOf(),
  command: commandDocumentOf(),
  envelope,
};

const schemaOf = (name: string): JsonSchema => TRUST_SCHEMAS[name] ?? {};

type Path = readonly (string | number)[];

function pathsOf(value: unknown, at: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [at];
  return [at, ...Object.entries(value).flatMap(([key, one]) => pathsOf(one, [...at, key]))];
}

/** A copy with something else at `path`; undefined: nothing there. */
function replaced(value: unknown, [key, ...rest]: Path, by: unknown): unknown {
  if (key === undefined) return by;
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<
    string | number,
    unknown
  >;
  const inner = replaced(copy[key], rest, by);
  if (inner !== undefined) copy[key] = inner;
  else if (Array.isArray(copy)) copy.splice(Number(key), 1);
  else delete copy[key];
  return copy;
}

const strange = fc.oneof(
  fc.constant(undefined),
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom<unknown>(
    null,
    true,
    '',
    ' ',
    'a'.repeat(64),
    'a'.repeat(65),
    '😀'.repeat(64),
    '😀'.repeat(65),
    'a/b',
    '\u0000',
    '\u202e',
    'AB'.repeat(32),
    'ab'.repeat(32),
    '2026-01-01T00:00:00.000Z',
    '2026-02-30T00:00:00.000Z',
    '2026-01-01',
    'root',
    'active',
    -1,
    0,
    -0,
    1,
    1.5,
    8,
    9,
    64,
    1e9,
    1e21,
    65_536,
    16_777_217,
    [],
    {},
    [null],
    ['a'],
    { a: 1 },
  ),
);

describe('the checker that runs in agents says what ajv says', () => {
  test.each(Object.keys(VALID))('of a valid %s', (name) => {
    expect(schemaFault(schemaOf(name), VALID[name] as object)).toBeNull();
    expect(validator(name)(VALID[name])).toEqual([]);
  });

  test.each(Object.keys(VALID))('of a %s with anything in any place', (name) => {
    const paths = pathsOf(VALID[name]);
    const validate = validator(name);
    let refused = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...paths), strange), { minLength: 1, maxLength: 2 }),
        (edits) => {
          let document: unknown = VALID[name];
          for (const [path, by] of edits) {
            try {
              document = replaced(document, path, by);
            } catch {
              // The edit before took its place away.
            }
          }
          const fault = schemaFault(schemaOf(name), document);
          const faults = validate(document);
          // Ours wants times in one spelling only, and whole numbers that a double holds exactly.
          if (fault !== null && /a time as|a whole number/.test(fault)) return;
          expect([fault === null, document]).toEqual([faults.length === 0, document]);
          if (fault !== null) refused++;
        },
      ),
      { numRuns: 1000 },
    );
    expect(refused).toBeGreaterThan(300);
  });
});

describe('stricter than ajv', () => {
  test.each([
    '2026-01-01T00:00:00Z',
    '2026-01-01T00:00:00.000+00:00',
    '2026-01-01t00:00:00.000z',
    '2026-02-30T00:00:00.000Z',
  ])('the time %s has another spelling, or is none', (issuedAt) => {
    expect(schemaFault(schemaOf('rollout'), rolloutDocumentOf({ issuedAt }))).toMatch(
      /^issuedAt: expected a time as/,
    );
  });

  test('a whole number beyond what a double holds exactly', () => {
    const { provenance } = releaseDocumentOf();
    const document = releaseDocumentOf({ provenance: { ...provenance, rows: 2 ** 53 } });
    expect(schemaFault(schemaOf('release'), document)).toMatch(/^provenance\.rows/);
  });
});
