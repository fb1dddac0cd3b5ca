import { createHash } from 'node:crypto';
import { runToEnd } from '../../core/features.ts';
import type { IsolationForestModel, MetricForestsModel, Model } from '../../core/model.ts';
import { TRAINING_DEFAULTS, type TrainingOptions, trainModel } from '../../core/train.ts';
import { PROVENANCE, SMALL_SCHEMA, smallSeries } from './series.ts';

/** A model of a few kilobytes, so that every byte of it can be tried. */
export function tinyModel(seed = 7): MetricForestsModel {
  const forest = { trees: 1, rowsPerTree: 16, maxDepth: 3 };
  return trained(seed, { forest }) as MetricForestsModel;
}

/** The same rows under a standard isolation forest. */
export function tinyIsolationForest(seed = 7): IsolationForestModel {
  const isolationForest = { trees: 2, rowsPerTree: 8 };
  return trained(seed, { detector: 'isolation-forest', isolationForest }) as IsolationForestModel;
}

function trained(seed: number, options: Partial<TrainingOptions>): Model {
  const columns = smallSeries(120, seed).slice(0, 2);
  return runToEnd(
    trainModel(
      SMALL_SCHEMA.slice(0, 2),
      columns,
      { ...PROVENANCE, seed },
      { ...TRAINING_DEFAULTS, ...options },
    ),
  );
}

const PREFIX_BYTES = 16;
const DIGEST_BYTES = 32;
const align = (n: number): number => (n + 7) & ~7;

export interface Json {
  [key: string]: Json;
}
interface ArrayEntry {
  readonly name: string;
  readonly kind: 'f64' | 'u32' | 'u8';
  readonly length: number;
}
const BYTES = { f64: 8, u32: 4, u8: 1 } as const;

export function headerOf(bytes: Buffer): Json {
  const length = bytes.readUInt32LE(12);
  return JSON.parse(bytes.toString('utf8', PREFIX_BYTES, PREFIX_BYTES + length)) as Json;
}

/** Puts the checksum right again after a change. */
export function resealed(bytes: Buffer): Buffer {
  const out = Buffer.from(bytes);
  const end = out.length - DIGEST_BYTES;
  createHash('sha256').update(out.subarray(0, end)).digest().copy(out, end);
  return out;
}

/** The artifact under another header: its text, or what `change` makes of it. The checksum is right. */
export function withHeader(bytes: Buffer, change: string | ((header: Json) => unknown)): Buffer {
  const header = headerOf(bytes);
  const changed = typeof change === 'string' ? change : JSON.stringify(change(header) ?? header);
  const text = Buffer.from(changed);
  const arrays = bytes.subarray(align(PREFIX_BYTES + bytes.readUInt32LE(12)), bytes.length - DIGEST_BYTES);
  const start = align(PREFIX_BYTES + text.length);
  const out = Buffer.alloc(start + arrays.length + DIGEST_BYTES);
  bytes.copy(out, 0, 0, PREFIX_BYTES);
  out.writeUInt32LE(text.length, 12);
  text.copy(out, PREFIX_BYTES);
  arrays.copy(out, start);
  return resealed(out);
}

/** The artifact with one of its arrays changed in place. The checksum is right. */
export function withArray(bytes: Buffer, name: string, change: (view: DataView) => void): Buffer {
  const out = Buffer.from(Uint8Array.from(bytes).buffer);
  let at = align(PREFIX_BYTES + out.readUInt32LE(12));
  for (const entry of headerOf(bytes)['arrays'] as unknown as ArrayEntry[]) {
    const size = entry.length * BYTES[entry.kind];
    if (entry.name === name) {
      change(new DataView(out.buffer, out.byteOffset + at, size));
      return resealed(out);
    }
    at = align(at + size);
  }
  throw new Error(`no array ${name}`);
}
