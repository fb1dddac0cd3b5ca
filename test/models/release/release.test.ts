import { describe, expect, test } from 'vitest';
import { runToEnd } from '../../../core/features.ts';
import type { Model } from '../../../core/model.ts';
import { schemaFault } from '../../../core/protocol/schema-check.ts';
import { CHUNK_BYTES, MAX_PAYLOAD_BYTES, type ReleaseDocument } from '../../../core/protocol/trust.ts';
import { DOCUMENT_SCHEMAS } from '../../../core/protocol/trust-schemas.ts';
import { TRAINING_DEFAULTS, trainModel } from '../../../core/train.ts';
import { artifactSha256, encodeModel } from '../../../models/artifact.ts';
import { goldenRows } from '../../../models/release/golden-rows.ts';
import { DEFAULT_LIMITS, FIRST_AGENT } from '../../../models/release/limits.ts';
import { chunksOf, releaseDocument, releasedModel } from '../../../models/release/release.ts';
import { seal } from '../../../models/trust/envelope.ts';
import { goldenFault } from '../../../models/trust/golden.ts';
import { type Refusal, TrustError } from '../../../models/trust/trust-error.ts';
import { tinyIsolationForest, tinyModel } from '../../support/artifacts.ts';
import { PROVENANCE, SMALL_SCHEMA, smallSeries } from '../../support/series.ts';
import { NOW_MS } from '../../support/trust.ts';

const named = (model: Model): Model => ({
  ...model,
  provenance: { ...model.provenance, name: 'web', version: '3' },
});
const REQUEST = {
  fleet: 'acme',
  model: 'web',
  version: 3,
  issuedMs: NOW_MS,
  lifeMs: 86_400_000,
  minimumAgent: FIRST_AGENT,
  limits: DEFAULT_LIMITS,
};

function released(model: Model): { model: Model; bytes: Buffer; document: ReleaseDocument } {
  const own = named(model);
  const bytes = encodeModel(own);
  return { model: own, bytes, document: releaseDocument(bytes, own, REQUEST) };
}

function refusal(work: () => unknown): [Refusal, string] | null {
  try {
    work();
    return null;
  } catch (error) {
    if (error instanceof TrustError) return [error.refusal, error.message];
    throw error;
  }
}

const MODELS: readonly (readonly [string, () => Model])[] = [
  ['metric-forests', tinyModel],
  ['isolation-forest', tinyIsolationForest],
  [
    'a model of four metrics, one of them constant',
    () => runToEnd(trainModel(SMALL_SCHEMA, smallSeries(900, 3), PROVENANCE, TRAINING_DEFAULTS)),
  ],
];

describe.each(MODELS)('golden rows of %s', (_, make) => {
  const model = make();
  const rows = goldenRows(model);

  test('are the same each time, and score differently', () => {
    expect(goldenRows(model)).toEqual(rows);
    expect(rows).toHaveLength(64);
    expect(new Set(rows.map(({ score }) => score)).size).toBeGreaterThan(2);
    expect(goldenFault(model, rows)).toBeNull();
  });

  test('have missing values, rows of nothing, and jumps out of the training range', () => {
    expect(rows.filter(({ values }) => values.every((x) => x === null))).toHaveLength(2);
    expect(rows.filter(({ values }) => values.includes(null)).length).toBeGreaterThan(8);
    const top = model.reference.metrics[32] as number;
    expect(rows.some(({ values: [x] }) => typeof x === 'number' && x > top)).toBe(true);
  });

  test('survive JSON, bit for bit', () => {
    expect(goldenFault(model, JSON.parse(JSON.stringify(rows)))).toBeNull();
  });

  test('a score that differs in its last bit is told', () => {
    const at = rows.findIndex(({ score }) => score !== null && score !== 0);
    const score = rows[at]?.score as number;
    const bits = new DataView(new ArrayBuffer(8));
    bits.setFloat64(0, score);
    bits.setUint8(7, bits.getUint8(7) ^ 1);
    const changed = rows.map((row, i) => (i === at ? { ...row, score: bits.getFloat64(0) } : row));
    expect(goldenFault(model, changed)).toContain(`golden row ${at + 1} scores`);
  });
});

test('256 metrics still fit into a document', () => {
  const model = tinyModel();
  const metrics = Array.from({ length: 256 }, (_, i) => ({
    ...SMALL_SCHEMA[0]!,
    name: `metric-${i}`.padEnd(64, 'x'),
  }));
  const columns = metrics.map((_, i) => smallSeries(120, i)[1] as Float64Array);
  const forest = { trees: 1, rowsPerTree: 16, maxDepth: 3 };
  const wide = runToEnd(trainModel(metrics, columns, model.provenance, { ...TRAINING_DEFAULTS, forest }));
  const { document } = released(wide);
  expect(document.golden).toHaveLength(16);
  expect(Buffer.from(seal(document).payload, 'base64').length).toBeLessThan(MAX_PAYLOAD_BYTES);
});

describe('a release', () => {
  const { bytes, document, model } = released(tinyModel());

  test('says what the artifact is, and its chunks make it up', () => {
    expect(schemaFault(DOCUMENT_SCHEMAS.release, document)).toBeNull();
    expect(document.artifact).toMatchObject({
      sha256: artifactSha256(bytes),
      bytes: bytes.length,
      format: 3,
    });
    const large = Buffer.alloc(CHUNK_BYTES * 2 + 1, 7);
    const chunks = chunksOf(large);
    expect(chunks.map((chunk) => chunk.length)).toEqual([CHUNK_BYTES, CHUNK_BYTES, 1]);
    expect(Buffer.concat(chunks).equals(large)).toBe(true);
    expect(releasedModel(document, bytes).provenance).toEqual(model.provenance);
  });

  const artifact = (changes: Partial<ReleaseDocument['artifact']>): ReleaseDocument => ({
    ...document,
    artifact: { ...document.artifact, ...changes },
  });

  test.each<[string, ReleaseDocument, Refusal, RegExp]>([
    ['another digest', artifact({ sha256: '00'.repeat(32) }), 'otherChunk', /the release says \d+, 0000/],
    ['another size', artifact({ bytes: 7 }), 'otherChunk', /the release says 7/],
    ['another chunk', artifact({ chunks: ['00'.repeat(32)] }), 'otherChunk', /chunk 0 is another/],
    ['another format', artifact({ format: 2 }), 'otherModel', /format is 3, the release says 2/],
    ['another model', { ...document, model: 'db' }, 'otherModel', /name is web, the release says db/],
    ['another version', { ...document, version: 4 }, 'otherModel', /version is 3, the release says 4/],
    ['another schema', { ...document, schemaHash: '0'.repeat(16) }, 'otherModel', /schema is/],
    ['other metrics', { ...document, metrics: ['memory', 'cpu'] }, 'otherModel', /metrics is cpu,memory/],
    ['another interval', { ...document, intervalMs: 1 }, 'otherModel', /interval is 5000/],
    [
      'rows of another width',
      { ...document, golden: [{ values: [1], score: 1 }] },
      'notForThisAgent',
      /has 1 values/,
    ],
    [
      'another score',
      { ...document, golden: [{ values: [1, 1], score: -7 }] },
      'notForThisAgent',
      /the release says -7/,
    ],
  ])('of %s is refused', (_, other, word, says) => {
    const found = refusal(() => releasedModel(other, bytes));
    expect(found?.[0]).toBe(word);
    expect(found?.[1]).toMatch(says);
  });

  test('of what is no model, though its digest is right', () => {
    const noise = Buffer.from('EDGEWOOD and nothing behind it');
    const of = {
      ...document.artifact,
      sha256: artifactSha256(noise),
      bytes: noise.length,
      chunks: [artifactSha256(noise)],
    };
    expect(refusal(() => releasedModel({ ...document, artifact: of }, noise))?.[0]).toBe('notForThisAgent');
  });
});
