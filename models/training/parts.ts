import { Moments } from '../../core/features.ts';
import type { HostRows } from '../../core/train.ts';
import { type Recording, slice } from '../data/recording.ts';

/** Shares of the time for training, validation and test; they add up to 1. */
export interface Split {
  readonly train: number;
  readonly validation: number;
  readonly test: number;
}
export const DEFAULT_SPLIT: Split = { train: 0.7, validation: 0.15, test: 0.15 };

/** Rows before a part that fill the windows; they are not judged. */
const LEAD_ROWS = 300;

/** One host's part to be judged, with the rows that lead up to it. */
export interface JudgedPart {
  readonly host: string;
  readonly recording: Recording;
  /** First judged row of `recording`. */
  readonly from: number;
}

/**
 * A part of each recording by time; rows are never shuffled.
 * @param mostRows the first rows of each host, where there are more in all
 */
export function judgedParts(
  recordings: readonly Recording[],
  from: number,
  to: number,
  mostRows = Number.POSITIVE_INFINITY,
): JudgedPart[] {
  const share = Math.floor(mostRows / recordings.length);
  return recordings.map((recording) => {
    const rows = recording.timesMs.length;
    const first = Math.round(rows * from);
    const lead = Math.min(LEAD_ROWS, first);
    const end = Math.min(Math.round(rows * to), first + share);
    return {
      host: recording.host,
      recording: slice(recording, first - lead, end),
      from: lead,
    };
  });
}

/** Rows to learn from: all hosts one after the other. */
export interface LearnedRows {
  readonly columns: Float64Array[];
  readonly timesMs: Float64Array;
  readonly breaks: number[];
  readonly hosts: readonly HostRows[];
  readonly rows: number;
  /** Rows labelled as anomalies, left out as missing. */
  readonly leftOut: number;
}

/** @param mostRows the newest rows of each host, where there are more in all */
export function learnedRows(
  recordings: readonly Recording[],
  to: number,
  mostRows = Number.POSITIVE_INFINITY,
): LearnedRows {
  const share = Math.floor(mostRows / recordings.length);
  const parts = recordings.map((recording) => {
    const end = Math.round(recording.timesMs.length * to);
    return slice(recording, Math.max(0, end - share), end);
  });
  const rows = parts.reduce((sum, { timesMs }) => sum + timesMs.length, 0);
  const columns = (parts[0]?.names ?? []).map(() => new Float64Array(rows));
  const timesMs = new Float64Array(rows);
  const breaks: number[] = [];
  const hosts: HostRows[] = [];
  let at = 0;
  let leftOut = 0;
  for (const part of parts) {
    if (at > 0) breaks.push(at);
    breaks.push(...part.breaks.map((row) => row + at));
    timesMs.set(part.timesMs, at);
    hosts.push({ host: part.host, from: at });
    columns.forEach((column, i) => {
      column.set(part.columns[i] as Float64Array, at);
    });
    part.labels?.forEach((label, row) => {
      if (label !== 1) return;
      leftOut++;
      for (const column of columns) column[at + row] = Number.NaN;
    });
    at += part.timesMs.length;
  }
  return { columns, timesMs, breaks, hosts: parts.length > 1 ? hosts : [], rows, leftOut };
}

/** Mean and standard deviation of each column: the standard scaler's statistics. */
export function scalerOf(
  columns: readonly Float64Array[],
): { readonly mean: number; readonly std: number }[] {
  return columns.map((column) => {
    const moments = new Moments();
    for (const x of column) moments.add(x);
    return { mean: moments.mean, std: moments.sd };
  });
}
