import { createHash } from 'node:crypto';
import { MOMENTS_PER_METRIC } from '../core/features.ts';
import { NODE_BYTES, PAIRS_PER_METRIC } from '../core/metric-forests.ts';
import { type Model, REFERENCE_QUANTILES } from '../core/model.ts';
import type { MetricSchema } from '../core/sample.ts';
import { headerFault } from './artifact-header.ts';

/**
 * A model is one buffer: magic (8 bytes), format version (u32), header length (u32), header (UTF-8 JSON), then
 * little-endian arrays, each aligned to 8 bytes, then the SHA-256 of all before it. Loading is validation plus
 * views: nothing is copied, and whatever does not add up is refused by name, never half-read.
 */
export const MAGIC = 'EDGEWOOD';
export const FORMAT_VERSION = 1;
/** Above this nothing is read: the default model is below half a megabyte. */
export const MAX_ARTIFACT_BYTES = 16 * 1024 * 1024;
/** No term of a metric is above this (metric-forests.ts, the 0.01 of u). */
const MAX_TERM = 100;
const PREFIX_BYTES = 16;
const DIGEST_BYTES = 32;

export type ArtifactFault =
  | 'tooLarge'
  | 'truncated'
  | 'notAnArtifact'
  | 'newerFormat'
  | 'checksumMismatch'
  | 'badHeader'
  | 'badArray'
  | 'badTree';

/** Says which fault, where, and what was expected. */
export class ArtifactError extends Error {
  override name = 'ArtifactError';
  readonly fault: ArtifactFault;
  constructor(fault: ArtifactFault, message: string) {
    super(message);
    this.fault = fault;
  }
}

type ArrayKind = 'f64' | 'u32' | 'u8';
const ARRAY_TYPES = { f64: Float64Array, u32: Uint32Array, u8: Uint8Array } as const;

interface ArrayEntry {
  readonly name: string;
  readonly kind: ArrayKind;
  readonly length: number;
}

type Numbers = Float64Array | Uint32Array | Uint8Array;
type Header = Omit<Model, 'features' | 'forests' | 'surprise' | 'stillness' | 'ranges' | 'reference'> & {
  readonly levelSpan: number;
  readonly windows: Model['features']['windows'];
  readonly forest: { readonly trees: number; readonly rowsPerTree: number };
  readonly surpriseParameters: Model['surprise']['parameters'];
  readonly arrays: readonly ArrayEntry[];
};

const align = (n: number): number => (n + 7) & ~7;

/** Hash of what a schema means: names and units, in order. */
export function schemaHash(schema: MetricSchema): string {
  const text = JSON.stringify(schema.map(({ name, unit }) => [name, unit]));
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

export function encodeModel(model: Model): Buffer {
  const arrays: [string, ArrayKind, Numbers][] = [
    ['moments', 'f64', model.features.moments],
    ['termMeans', 'f64', model.forests.termMeans],
    ['jumpScales', 'f64', model.surprise.q],
    ['constants', 'f64', model.stillness.constants],
    ['tolerances', 'f64', model.stillness.tolerances],
    ['rangeLows', 'f64', model.ranges.lows],
    ['rangeHighs', 'f64', model.ranges.highs],
    ['rangeMargins', 'f64', model.ranges.margins],
    ['referenceMetrics', 'f64', model.reference.metrics],
    ['referenceScore', 'f64', model.reference.score],
    ['spreads', 'f64', model.reference.spreads],
    ['longestRuns', 'u32', model.stillness.longestRuns],
    ['roots', 'u32', model.forests.roots],
    ['nodes', 'u8', model.forests.nodes],
  ];
  const header: Header = {
    detector: model.detector,
    schema: model.schema,
    budget: model.budget,
    thresholds: model.thresholds,
    provenance: model.provenance,
    windows: model.features.windows,
    levelSpan: model.ranges.span,
    forest: { trees: model.forests.trees, rowsPerTree: model.forests.rowsPerTree },
    surpriseParameters: model.surprise.parameters,
    arrays: arrays.map(([name, kind, data]) => ({ name, kind, length: data.length })),
  };
  const headerBytes = Buffer.from(JSON.stringify(header));
  const start = align(PREFIX_BYTES + headerBytes.length);
  const size = arrays.reduce((at, [, , data]) => align(at + data.byteLength), start);
  const out = Buffer.alloc(size + DIGEST_BYTES);
  out.write(MAGIC, 0, 'latin1');
  out.writeUInt32LE(FORMAT_VERSION, 8);
  out.writeUInt32LE(headerBytes.length, 12);
  headerBytes.copy(out, PREFIX_BYTES);
  let at = start;
  for (const [, , data] of arrays) {
    out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at = align(at + data.byteLength);
  }
  createHash('sha256').update(out.subarray(0, size)).digest().copy(out, size);
  return out;
}

/** The name of an artifact: hex SHA-256 of all its bytes. */
export const artifactSha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** @throws ArtifactError naming the fault */
export function decodeModel(input: Uint8Array): Model {
  const bytes = checkEnvelope(input);
  const header = readHeader(bytes);
  const arrays = readArrays(bytes, header);
  const metrics = header.schema.length;
  const f64 = (name: string, length: number): Float64Array => take(arrays, name, length, Float64Array);
  const u32 = (name: string, length: number): Uint32Array => take(arrays, name, length, Uint32Array);
  const nodes = arrays.get('nodes');
  if (!(nodes instanceof Uint8Array)) throw new ArtifactError('badArray', 'array "nodes" is missing');
  const model: Model = {
    detector: header.detector,
    schema: header.schema,
    budget: header.budget,
    thresholds: header.thresholds,
    provenance: header.provenance,
    features: { windows: header.windows, moments: f64('moments', metrics * MOMENTS_PER_METRIC) },
    forests: {
      metrics,
      trees: header.forest.trees,
      rowsPerTree: header.forest.rowsPerTree,
      termMeans: f64('termMeans', metrics),
      roots: u32('roots', metrics * PAIRS_PER_METRIC * header.forest.trees),
      nodes,
    },
    surprise: {
      parameters: header.surpriseParameters,
      q: f64('jumpScales', metrics * header.surpriseParameters.spans.length),
    },
    stillness: {
      constants: f64('constants', metrics),
      tolerances: f64('tolerances', metrics),
      longestRuns: u32('longestRuns', metrics),
    },
    ranges: {
      span: header.levelSpan,
      lows: f64('rangeLows', metrics),
      highs: f64('rangeHighs', metrics),
      margins: f64('rangeMargins', metrics),
    },
    reference: {
      metrics: f64('referenceMetrics', metrics * REFERENCE_QUANTILES),
      score: f64('referenceScore', REFERENCE_QUANTILES),
      spreads: f64('spreads', metrics),
    },
  };
  checkNumbers(model);
  checkTrees(model);
  return model;
}

/** Magic, version, checksum; returns the bytes at an 8-byte boundary, so that arrays are views. */
function checkEnvelope(input: Uint8Array): Buffer {
  if (input.length > MAX_ARTIFACT_BYTES) {
    throw new ArtifactError('tooLarge', `${input.length} bytes, at most ${MAX_ARTIFACT_BYTES} are read`);
  }
  if (input.length >= 8 && Buffer.from(input.subarray(0, 8)).toString('latin1') !== MAGIC) {
    throw new ArtifactError('notAnArtifact', 'the first 8 bytes are not EDGEWOOD');
  }
  if (input.length < PREFIX_BYTES + DIGEST_BYTES) {
    throw new ArtifactError('truncated', `${input.length} bytes are less than an empty artifact has`);
  }
  const bytes =
    input.byteOffset % 8 === 0 && Buffer.isBuffer(input) ? input : Buffer.from(Uint8Array.from(input).buffer);
  const version = bytes.readUInt32LE(8);
  if (version > FORMAT_VERSION) {
    throw new ArtifactError(
      'newerFormat',
      `format version ${version}, this edgewood reads up to ${FORMAT_VERSION}`,
    );
  }
  if (version < 1) throw new ArtifactError('badHeader', 'format version 0');
  const body = bytes.subarray(0, bytes.length - DIGEST_BYTES);
  if (!createHash('sha256').update(body).digest().equals(bytes.subarray(body.length))) {
    throw new ArtifactError('checksumMismatch', 'the SHA-256 at its end is not that of the bytes before it');
  }
  return bytes;
}

function readHeader(bytes: Buffer): Header {
  const length = bytes.readUInt32LE(12);
  if (PREFIX_BYTES + length > bytes.length - DIGEST_BYTES) {
    throw new ArtifactError('truncated', `header of ${length} bytes goes beyond the end`);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(bytes.toString('utf8', PREFIX_BYTES, PREFIX_BYTES + length));
  } catch {
    throw new ArtifactError('badHeader', 'the header is not JSON');
  }
  const fault = headerFault(parsed);
  if (fault !== null) throw new ArtifactError('badHeader', fault);
  return parsed as Header;
}

function readArrays(bytes: Buffer, header: Header): Map<string, Numbers> {
  const arrays = new Map<string, Numbers>();
  const end = bytes.length - DIGEST_BYTES;
  let at = align(PREFIX_BYTES + bytes.readUInt32LE(12));
  for (const entry of header.arrays) {
    const type = entry && Object.hasOwn(ARRAY_TYPES, entry.kind) ? ARRAY_TYPES[entry.kind] : undefined;
    if (type === undefined || !Number.isInteger(entry.length) || entry.length < 0) {
      throw new ArtifactError('badArray', `array ${JSON.stringify(entry)} has no known kind or length`);
    }
    if (at + entry.length * type.BYTES_PER_ELEMENT > end) {
      throw new ArtifactError('truncated', `array "${entry.name}" goes beyond the end`);
    }
    if (arrays.has(entry.name)) throw new ArtifactError('badArray', `array "${entry.name}" comes twice`);
    arrays.set(entry.name, new type(bytes.buffer as ArrayBuffer, bytes.byteOffset + at, entry.length));
    at = align(at + entry.length * type.BYTES_PER_ELEMENT);
  }
  if (at !== end) throw new ArtifactError('badArray', `${end - at} bytes are left over behind the arrays`);
  return arrays;
}

function take<T extends Numbers>(
  arrays: Map<string, Numbers>,
  name: string,
  length: number,
  type: abstract new (...args: never[]) => T,
): T {
  const array = arrays.get(name);
  if (!(array instanceof type))
    throw new ArtifactError('badArray', `array "${name}" is missing or of another kind`);
  if (array.length !== length) {
    throw new ArtifactError('badArray', `array "${name}" has ${array.length} entries, ${length} expected`);
  }
  return array;
}

/** Divisors must be positive and finite: one zero there and every score is NaN. */
function checkNumbers(model: Model): void {
  const positive = (name: string, values: Float64Array, most = Number.MAX_VALUE): void => {
    values.forEach((x, i) => {
      if (!(x > 0 && x <= most)) {
        throw new ArtifactError('badArray', `array "${name}" has ${x} at ${i}, a positive number expected`);
      }
    });
  };
  const { moments } = model.features;
  positive(
    'moments',
    moments.filter((_, i) => i % 2 === 1),
  );
  if (!moments.every(Number.isFinite)) {
    throw new ArtifactError('badArray', 'array "moments" has a mean that is not finite');
  }
  positive('jumpScales', model.surprise.q);
  positive('termMeans', model.forests.termMeans, MAX_TERM);
  positive('tolerances', model.stillness.tolerances);
  positive('rangeMargins', model.ranges.margins);
  positive('spreads', model.reference.spreads);
}

/** Every walk must end inside its own tree: children come after their parent, and before the next tree. */
function checkTrees(model: Model): void {
  const { nodes, roots, rowsPerTree } = model.forests;
  if (nodes.length % NODE_BYTES !== 0)
    throw new ArtifactError('badTree', 'nodes do not come in tens of bytes');
  const count = nodes.length / NODE_BYTES;
  for (let tree = 0; tree < roots.length; tree++) {
    const first = roots[tree] as number;
    const end = tree + 1 < roots.length ? (roots[tree + 1] as number) : count;
    if (first >= end || end > count || (tree === 0 && first !== 0)) {
      throw new ArtifactError('badTree', `tree ${tree} has no nodes`);
    }
    for (let node = first; node < end; node++) {
      const at = node * NODE_BYTES;
      const dimension = nodes[at] as number;
      const right = first + ((nodes[at + 6] as number) | ((nodes[at + 7] as number) << 8));
      const size = (nodes[at + 8] as number) | ((nodes[at + 9] as number) << 8);
      const codes = nodes.subarray(at + 1, at + 6);
      const inner = dimension < 2;
      const [, low0, high0, low1, high1] = codes as unknown as [number, number, number, number, number];
      if (
        dimension > 2 ||
        size > rowsPerTree ||
        codes.includes(255) ||
        low0 > high0 ||
        low1 > high1 ||
        (inner && (right <= node + 1 || right >= end))
      ) {
        throw new ArtifactError('badTree', `tree ${tree} has a broken node ${node - first}`);
      }
    }
  }
}
