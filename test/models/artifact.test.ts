import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createDetector } from '../../core/create-detector.ts';
import { INCIDENT_DEFAULTS } from '../../core/incident.ts';
import { calibratedFor, type MetricForestsModel, type Model, NOT_USED } from '../../core/model.ts';
import { Watcher } from '../../core/watcher.ts';
import {
  ArtifactError,
  type ArtifactFault,
  artifactSha256,
  decodeModel,
  encodeModel,
  FORMAT_VERSION,
  MAX_ARTIFACT_BYTES,
  schemaHash,
} from '../../models/artifact.ts';
import {
  headerOf,
  type Json,
  resealed,
  tinyIsolationForest,
  tinyModel,
  withArray,
  withHeader,
} from '../support/artifacts.ts';

const model = tinyModel();
const good = encodeModel(model);
const standard = encodeModel(tinyIsolationForest());
const DIGEST_BYTES = 32;

/** The fault that a buffer is refused for; null where it is taken. Any other error fails the test. */
function faultOf(bytes: Uint8Array): ArtifactFault | null {
  try {
    decodeModel(bytes);
    return null;
  } catch (error) {
    if (!(error instanceof ArtifactError)) throw error;
    expect(error.message).not.toBe('');
    return error.fault;
  }
}

/** Whatever was accepted must be safe to run. */
function runs(accepted: Model): void {
  const watcher = new Watcher(accepted, accepted.schema, INCIDENT_DEFAULTS);
  const contributions = new Float64Array(accepted.schema.length);
  for (let t = 0; t < 40; t++) {
    const values = Float64Array.from(accepted.schema, (_, i) =>
      t % 5 === i ? Number.NaN : (t * 37 + i) % 101,
    );
    const { score } = watcher.step({ timeMs: t * 5000, values }, 'open', () => 'id');
    expect(Number.isFinite(score)).toBe(true);
    watcher.detector.contributions(contributions);
    expect(contributions.every(Number.isFinite)).toBe(true);
  }
  expect(new Date(accepted.provenance.trainedFromMs).toISOString()).not.toBe('');
}

describe('round trip', () => {
  test('the same bytes, the same model, the same scores', () => {
    const decoded = decodeModel(good);
    expect(decoded).toEqual(model);
    expect(encodeModel(decoded).equals(good)).toBe(true);
    const [a, b] = [createDetector(model), createDetector(decoded)];
    for (let t = 0; t < 100; t++) expect(b.score([t, 100 - t])).toBe(a.score([t, 100 - t]));
    runs(decoded);
  });

  test('a standard isolation forest, too', () => {
    const decoded = decodeModel(standard);
    expect(decoded).toEqual(tinyIsolationForest());
    expect(encodeModel(decoded).equals(standard)).toBe(true);
    runs(decoded);
  });

  test('what format version 1 wrote is read, and scores as it did', () => {
    const old = readFileSync(join(import.meta.dirname, 'fixtures', 'format-1.edgewood'));
    expect(old.readUInt32LE(8)).toBe(1);
    const decoded = decodeModel(old);
    expect(decoded).toEqual(model);
    expect(decoded).toMatchObject({ contamination: null, hosts: [], thresholds: { score: NOT_USED } });
  });

  test('what format version 2 wrote is read, too', () => {
    const old = readFileSync(join(import.meta.dirname, 'fixtures', 'format-2.edgewood'));
    expect(old.readUInt32LE(8)).toBe(2);
    expect(decodeModel(old)).toEqual(tinyIsolationForest());
    expect(decodeModel(old).drift).toBeNull();
  });

  test('hosts keep their own thresholds', () => {
    const own = { ...model.thresholds, surprise: { ...model.thresholds.surprise, info: 3 } };
    const several: Model = { ...model, hosts: [{ host: 'db-1', rows: 60, thresholds: own }] };
    const decoded = decodeModel(encodeModel(several));
    expect(calibratedFor(decoded, 'db-1').thresholds.surprise.info).toBe(3);
    expect(calibratedFor(decoded, 'db-2').thresholds).toEqual(model.thresholds);
  });

  test('from wherever the bytes lie', () => {
    for (let shift = 0; shift < 9; shift++) {
      const around = Buffer.alloc(good.length + 16);
      good.copy(around, shift);
      expect(decodeModel(around.subarray(shift, shift + good.length))).toEqual(model);
    }
    expect(decodeModel(Uint8Array.from(good))).toEqual(model);
  });

  test('views, not copies, where the bytes are aligned', () => {
    const aligned = Buffer.from(Uint8Array.from(good).buffer);
    expect((decodeModel(aligned) as MetricForestsModel).forests.nodes.buffer).toBe(aligned.buffer);
  });

  test('every byte of an isolation forest may be wrong: refused, or safe to run', () => {
    const names = listed(headerOf(standard)).map((entry) => String(entry['name']));
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.nat(), fc.nat(255), (name, place, value) => {
        const bytes = withArray(standard, name, (view) => view.setUint8(place % view.byteLength, value));
        if (faultOf(bytes) === null) runs(decodeModel(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  test('is named by all its bytes', () => {
    expect(artifactSha256(good)).toMatch(/^[0-9a-f]{64}$/);
    expect(artifactSha256(encodeModel(tinyModel(8)))).not.toBe(artifactSha256(good));
  });

  test('a schema is its names and units in order, not its labels', () => {
    const [first, second] = model.schema as [Model['schema'][0], Model['schema'][0]];
    const hash = schemaHash(model.schema);
    expect(schemaHash([{ ...first, label: 'x', scale: 7 }, second])).toBe(hash);
    expect(schemaHash([second, first])).not.toBe(hash);
    expect(schemaHash([{ ...first, unit: 'value' }, second])).not.toBe(hash);
  });
});

describe('damage', () => {
  test('every single byte that is flipped is found', () => {
    const bytes = Buffer.from(good);
    for (let at = 0; at < bytes.length; at++) {
      for (const flip of [1 << (at % 8), 0xff]) {
        bytes[at] = (bytes[at] as number) ^ flip;
        if (faultOf(bytes) === null) expect.fail(`byte ${at} ^ ${flip} went unseen`);
        bytes[at] = (bytes[at] as number) ^ flip;
      }
    }
    expect(faultOf(bytes)).toBeNull();
  });

  test('every length but its own is refused', () => {
    for (let length = 0; length < good.length; length++) {
      if (faultOf(good.subarray(0, length)) === null) expect.fail(`${length} bytes were taken`);
    }
    expect(faultOf(good.subarray(0, 4))).toBe('truncated');
    expect(faultOf(Buffer.concat([good, Buffer.alloc(8)]))).toBe('checksumMismatch');
    expect(faultOf(resealed(Buffer.concat([good, Buffer.alloc(8)])))).toBe('badArray');
  });

  test('what never was an artifact', () => {
    expect(
      faultOf(Buffer.from('PK\u0003\u0004 this is something else entirely, and quite a bit longer')),
    ).toBe('notAnArtifact');
    expect(faultOf(new Uint8Array(0))).toBe('truncated');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), fc.boolean(), (noise, named) => {
        const bytes = named ? Buffer.concat([good.subarray(0, 12), noise]) : noise;
        expect(faultOf(named && bytes.length > 48 ? resealed(Buffer.from(bytes)) : bytes)).not.toBeNull();
      }),
      { numRuns: 500 },
    );
  });

  test('too large is refused before it is looked at', () => {
    expect(faultOf(new Uint8Array(MAX_ARTIFACT_BYTES + 1))).toBe('tooLarge');
  });

  test('a newer format is refused by name', () => {
    const newer = Buffer.from(good);
    newer.writeUInt32LE(FORMAT_VERSION + 1, 8);
    expect(() => decodeModel(resealed(newer))).toThrow(/format version 4, this edgewood reads up to 3/);
    newer.writeUInt32LE(0, 8);
    expect(faultOf(resealed(newer))).toBe('badHeader');
  });
});

/** Changes one place of the header; the arrays stay as they are. */
const at = (path: string, value: unknown) => (header: Json) => {
  const keys = path.split('.');
  let place: Json = header;
  for (const key of keys.slice(0, -1)) place = place[key] as Json;
  (place as Record<string, unknown>)[keys.at(-1) as string] = value;
};
const listed = (header: Json): Json[] => header['arrays'] as unknown as Json[];

describe('headers of an enemy, with a right checksum', () => {
  test.each<[string, string | ((header: Json) => unknown), ArtifactFault]>([
    ['not JSON', '{', 'badHeader'],
    ['empty', '', 'badHeader'],
    ['null', 'null', 'badHeader'],
    ['a list', '[]', 'badHeader'],
    ['a thousand brackets', '['.repeat(100_000), 'badHeader'],
    ['unknown detector', at('detector', 'oracle'), 'badHeader'],
    ['no metric', at('schema', []), 'badHeader'],
    ['a schema that is none', at('schema', { length: 2 }), 'badHeader'],
    ['too many metrics', (h) => at('schema', new Array(1025).fill(h['schema']?.['0']))(h), 'badHeader'],
    ['the same metric twice', (h) => at('schema.1', h['schema']?.['0'])(h), 'badHeader'],
    ['a metric without unit', at('schema.0.unit', undefined), 'badHeader'],
    ['a metric that is null', at('schema.0', null), 'badHeader'],
    ['a metric without label', at('schema.0.label', 5), 'badHeader'],
    ['a scale that is none', at('schema.0.scale', '1'), 'badHeader'],
    ['no budget', at('budget', null), 'badHeader'],
    ['no thresholds', at('thresholds', null), 'badHeader'],
    ['half of the thresholds', at('thresholds.forest', { info: 1 }), 'badHeader'],
    ['no score threshold', at('thresholds.score', null), 'badHeader'],
    ['a contamination of none', at('contamination', 0), 'badHeader'],
    ['hosts without thresholds', at('hosts', [{ host: 'a', rows: 1 }]), 'badHeader'],
    ['a window that takes memory', at('windows.short', 65_535), 'badHeader'],
    ['a window of none', at('windows.short', 0), 'badHeader'],
    ['no trees', at('forest.trees', 0), 'badHeader'],
    ['trees without rows to divide by', at('forest.rowsPerTree', 1), 'badHeader'],
    ['no spans', at('surpriseParameters.spans', []), 'badHeader'],
    ['a mean over none', at('surpriseParameters.topCount', 0), 'badHeader'],
    ['a share beyond one', at('surpriseParameters.smoothing', 2), 'badHeader'],
    ['silence without end', at('surpriseParameters.silenceMax', 1e300), 'badHeader'],
    ['no interval', at('provenance.intervalMs', 0), 'badHeader'],
    ['a time that no date can hold', at('provenance.trainedToMs', 1e20), 'badHeader'],
    ['a name that is none', at('provenance.name', null), 'badHeader'],
    ['no arrays', at('arrays', undefined), 'badHeader'],
    ['an empty list of arrays', at('arrays', []), 'badArray'],
    ['an array that is null', at('arrays.0', null), 'badArray'],
    ['a huge length', at('arrays.0.length', 2 ** 53), 'truncated'],
    ['a length of 4 GB', at('arrays.10.length', 2 ** 32), 'truncated'],
    ['a negative length', at('arrays.0.length', -1), 'badArray'],
    ['half a length', at('arrays.0.length', 1.5), 'badArray'],
    ['an inherited kind', at('arrays.0.kind', 'toString'), 'badArray'],
    ['the prototype as kind', at('arrays.0.kind', '__proto__'), 'badArray'],
    ['another kind', at('arrays.11.kind', 'f64'), 'truncated'],
    ['another name', at('arrays.0.name', 'other'), 'badArray'],
    [
      'nodes of another kind',
      (h) => void Object.assign(listed(h).at(-1) as Json, { kind: 'u32', length: 1 }),
      'badArray',
    ],
    ['an array twice', at('arrays.1.name', 'moments'), 'badArray'],
    ['more trees than there are', at('forest.trees', 2), 'badArray'],
    [
      'a metric more than there is',
      (h) => at('schema.2', { ...h['schema']?.['0'], name: 'z' })(h),
      'badArray',
    ],
  ])('%s', (_, change, fault) => {
    expect(faultOf(withHeader(good, change))).toBe(fault);
  });

  test('a header longer than the file', () => {
    for (const length of [good.length, 0xffffffff]) {
      const bytes = Buffer.from(good);
      bytes.writeUInt32LE(length, 12);
      expect(faultOf(resealed(bytes))).toBe('truncated');
    }
  });

  test('lengths that are asked for are not taken from memory', () => {
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 11; i++) {
      for (const length of [1e9, 2 ** 31, 2 ** 40])
        faultOf(withHeader(good, at(`arrays.${i}.length`, length)));
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4e6);
  });

  test('any place of the header, any value: refused, or safe to run', () => {
    const paths: string[] = [];
    const collect = (value: unknown, path: string): void => {
      if (path !== '') paths.push(path);
      if (typeof value !== 'object' || value === null) return;
      for (const [key, inner] of Object.entries(value)) collect(inner, path === '' ? key : `${path}.${key}`);
    };
    collect(headerOf(good), '');
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom<unknown>(
        { toString: 0, valueOf: 0 },
        undefined,
        0,
        -1,
        1,
        2,
        1e9,
        1e308,
        5e-324,
        'f64',
        '__proto__',
        'constructor',
      ),
    );
    fc.assert(
      fc.property(fc.constantFrom(...paths), value, (path, put) => {
        const bytes = withHeader(good, at(path, put));
        if (faultOf(bytes) === null) runs(decodeModel(bytes));
      }),
      { numRuns: 1500 },
    );
  });
});

describe('arrays of an enemy, with a right checksum', () => {
  const nodeBytes = model.forests.nodes.length;
  const node = (n: number, byte: number, value: number) => (view: DataView) =>
    view.setUint8(n * 10 + byte, value);

  test.each<[string, string, (view: DataView) => void, ArtifactFault]>([
    ['a spread of zero', 'moments', (v) => v.setFloat64(8, 0, true), 'badArray'],
    ['a mean without end', 'moments', (v) => v.setFloat64(0, Number.POSITIVE_INFINITY, true), 'badArray'],
    ['a jump scale of zero', 'jumpScales', (v) => v.setFloat64(0, 0, true), 'badArray'],
    ['a negative jump scale', 'jumpScales', (v) => v.setFloat64(8, -1, true), 'badArray'],
    ['a mean term that is not a number', 'termMeans', (v) => v.setFloat64(0, Number.NaN, true), 'badArray'],
    ['a mean term that no term reaches', 'termMeans', (v) => v.setFloat64(0, 1e308, true), 'badArray'],
    ['a tolerance of zero', 'tolerances', (v) => v.setFloat64(0, 0, true), 'badArray'],
    [
      'a deviation of infinity',
      'spreads',
      (v) => v.setFloat64(0, Number.POSITIVE_INFINITY, true),
      'badArray',
    ],
    ['a first tree that begins later', 'roots', (v) => v.setUint32(0, 1, true), 'badTree'],
    ['roots that go back', 'roots', (v) => v.setUint32(8, 0, true), 'badTree'],
    ['a root beyond the end', 'roots', (v) => v.setUint32(20, 1e6, true), 'badTree'],
    ['a child that is its own parent', 'nodes', node(0, 6, 0), 'badTree'],
    ['a right child that is the left one', 'nodes', node(0, 6, 1), 'badTree'],
    ['a child in the next tree', 'nodes', node(0, 6, 200), 'badTree'],
    ['a child far beyond', 'nodes', node(0, 7, 255), 'badTree'],
    ['an inner node without room for children', 'nodes', (v) => v.setUint8(nodeBytes - 10, 0), 'badTree'],
    ['a dimension that is none', 'nodes', node(0, 0, 3), 'badTree'],
    ['a cut that is no code', 'nodes', node(0, 1, 255), 'badTree'],
    ['a box turned inside out', 'nodes', node(0, 2, 254), 'badTree'],
    ['the other side of the box too', 'nodes', node(0, 5, 0), 'badTree'],
    ['more rows than a tree has', 'nodes', node(0, 9, 255), 'badTree'],
  ])('%s', (_, name, change, fault) => {
    expect(faultOf(withArray(good, name, change))).toBe(fault);
  });

  test('nodes that are cut off in the middle', () => {
    const cut = withHeader(
      good,
      (h) => void Object.assign(listed(h).at(-1) as Json, { length: nodeBytes - 1 }),
    );
    expect(faultOf(cut)).toBe('badTree');
  });

  test('any byte of any array, any value: refused, or safe to run', () => {
    const names = listed(headerOf(good)).map((entry) => String(entry['name']));
    fc.assert(
      fc.property(
        fc.constantFrom(...names, 'nodes', 'nodes'),
        fc.nat(),
        fc.nat(255),
        (name, place, value) => {
          const bytes = withArray(good, name, (view) => view.setUint8(place % view.byteLength, value));
          if (faultOf(bytes) === null) runs(decodeModel(bytes));
        },
      ),
      { numRuns: 2000 },
    );
  });
});

test('the checksum is the last thing in it', () => {
  const body = good.subarray(0, good.length - DIGEST_BYTES);
  expect(artifactSha256(body)).toBe(good.subarray(good.length - DIGEST_BYTES).toString('hex'));
});
