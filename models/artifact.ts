import { createHash } from 'node:crypto';
import type { Model } from '../core/model.ts';
import type { MetricSchema } from '../core/sample.ts';
import { arraysOf, modelOf, type Numbers } from './artifact-arrays.ts';
import { driftHeader } from './artifact-drift.ts';
import { ArtifactError } from './artifact-error.ts';
import { type Header, headerFault, NO_WINDOWS, withDefaults } from './artifact-header.ts';

export { ArtifactError, type ArtifactFault } from './artifact-error.ts';

/**
 * A model is one buffer: magic (8 bytes), format version (u32), header length (u32), header (UTF-8 JSON), then
 * little-endian arrays, each aligned to 8 bytes, then the SHA-256 of all before it. Loading is validation plus
 * views: nothing is copied, and whatever does not add up is refused by name, never half-read.
 */
export const MAGIC = 'EDGEWOOD';
export const FORMAT_VERSION = 3;
/** Above this nothing is read: the default model is below half a megabyte. */
export const MAX_ARTIFACT_BYTES = 16 * 1024 * 1024;
const PREFIX_BYTES = 16;
const DIGEST_BYTES = 32;

const ARRAY_TYPES = { f64: Float64Array, u32: Uint32Array, u8: Uint8Array } as const;

const align = (n: number): number => (n + 7) & ~7;

/** Hash of what a schema means: names and units, in order. */
export function schemaHash(schema: MetricSchema): string {
  const text = JSON.stringify(schema.map(({ name, unit }) => [name, unit]));
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

export function encodeModel(model: Model): Buffer {
  const arrays = arraysOf(model);
  const forest = model.detector === 'metric-forests' ? model.forests : model.forest;
  const header: Header = {
    detector: model.detector,
    schema: model.schema,
    budget: model.budget,
    contamination: model.contamination,
    thresholds: model.thresholds,
    hosts: model.hosts,
    provenance: model.provenance,
    windows: model.detector === 'metric-forests' ? model.features.windows : NO_WINDOWS,
    levelSpan: model.ranges.span,
    forest: {
      trees: typeof forest.trees === 'number' ? forest.trees : forest.trees.length,
      rowsPerTree: forest.rowsPerTree,
    },
    surpriseParameters: model.surprise.parameters,
    drift: driftHeader(model.drift),
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

/** Format version of an artifact; of bytes that decodeModel takes. */
export const artifactFormat = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(8, true);

/** @throws ArtifactError naming the fault */
export function decodeModel(input: Uint8Array): Model {
  const bytes = checkEnvelope(input);
  const header = readHeader(bytes);
  return modelOf(header, readArrays(bytes, header));
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
  const complete = bytes.readUInt32LE(8) < FORMAT_VERSION ? withDefaults(parsed) : parsed;
  const fault = headerFault(complete);
  if (fault !== null) throw new ArtifactError('badHeader', fault);
  return complete as Header;
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
