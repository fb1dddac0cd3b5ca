/** What both stores share about events on their way out: order, weight, epochs, and how a loss is put in words. */
import type { EventType, Sequence, Severity, StoredEvent } from '../../core/protocol/events.ts';
import { EVENT_TYPES } from '../../core/protocol/events.ts';

/** Delivery order: critical, warning, info, everything else. Dropping goes the other way. */
export type Rank = 0 | 1 | 2 | 3;
export const RANKS: readonly Rank[] = [0, 1, 2, 3];
const RANK_BY_SEVERITY: Readonly<Record<Severity, Rank>> = { critical: 0, warning: 1, info: 2 };

export function rankOf(event: { readonly type: EventType; readonly severity: Severity | null }): Rank {
  if (event.type === EVENT_TYPES.incident) return RANK_BY_SEVERITY[event.severity ?? 'info'];
  return event.severity === null ? 3 : RANK_BY_SEVERITY[event.severity];
}

/** About what the columns, the index entry and the envelope of an event take beside its data. */
const RECORD_OVERHEAD_BYTES = 128;

/** Weight of one event against the bound of an outbox. */
export function recordBytes(event: { readonly data: string; readonly subject: string | null }): number {
  return RECORD_OVERHEAD_BYTES + Buffer.byteLength(event.data) + Buffer.byteLength(event.subject ?? '');
}

export function eventId(sequence: Sequence): string {
  return `${sequence.epoch}-${sequence.n}`;
}

const EPOCH_TIME_DIGITS = 9; // base 36: sorts as text until the year 5188

/** Sorts after `previous` even where the clock was set back. */
export function newEpochId(
  nowMs: number,
  randomHex: (bytes: number) => string,
  previous: string | null,
): string {
  const before = previous === null ? Number.NaN : Number.parseInt(previous.slice(0, EPOCH_TIME_DIGITS), 36);
  const timeMs = Number.isSafeInteger(before) ? Math.max(Math.floor(nowMs), before + 1) : Math.floor(nowMs);
  return timeMs.toString(36).padStart(EPOCH_TIME_DIGITS, '0') + randomHex(3);
}

/** From and to, both included. */
export type SequenceRange = readonly [number, number];

/** A tombstone stays below about 3 KB, however long the outage. */
export const MAX_TOMBSTONE_RANGES = 64;

/**
 * Sorted, overlaps and neighbours joined. Beyond `maxRanges` the smallest gaps are closed: the result then covers
 * numbers that were delivered too, which costs a subscriber nothing, where leaving a lost one out would.
 */
export function mergeRanges(
  ranges: readonly SequenceRange[],
  maxRanges = MAX_TOMBSTONE_RANGES,
): SequenceRange[] {
  const merged: [number, number][] = [];
  for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  if (merged.length <= maxRanges) return merged;
  const gapBefore = (index: number): number => merged[index]![0] - merged[index - 1]![1];
  const widest = merged
    .map((_, index) => index)
    .slice(1)
    .sort((a, b) => gapBefore(b) - gapBefore(a));
  const kept = new Set(widest.slice(0, maxRanges - 1));
  const capped: [number, number][] = [];
  merged.forEach((range, index) => {
    if (index === 0 || kept.has(index)) capped.push(range);
    else capped.at(-1)![1] = range[1];
  });
  return capped;
}

/** Why a sink's subscriber will not see some events. */
export type DropReason =
  | 'outbox-full'
  | 'refused'
  | 'sink-removed'
  | 'sink-absent'
  | 'store-lost'
  | 'store-restored'
  | 'store-quarantined';

/** Events that a sink will never deliver, noted durably until a tombstone says so. */
export interface Debt {
  readonly epoch: string;
  readonly reason: DropReason;
  readonly ranges: readonly SequenceRange[];
  readonly count: number;
}

/** `data` of an `edgewood.events.dropped` event. */
export interface TombstoneData extends Debt {
  readonly schemaVersion: 1;
  readonly sequence: Sequence;
  /** The sink that lost them; other sinks get the tombstone too, since their sequence has no gaps either. */
  readonly sink: string;
}

export function tombstoneData(sequence: Sequence, sink: string, debt: Debt): string {
  const { epoch, reason, ranges, count } = debt;
  const data: TombstoneData = { schemaVersion: 1, sequence, sink, epoch, reason, ranges, count };
  return JSON.stringify(data);
}

/** In words: what `pending` promises about order, for sorting and for tests. */
export function comparePending(a: StoredEvent, b: StoredEvent): number {
  const byEpoch = a.sequence.epoch < b.sequence.epoch ? -1 : a.sequence.epoch > b.sequence.epoch ? 1 : 0;
  return rankOf(a) - rankOf(b) || byEpoch || a.sequence.n - b.sequence.n;
}
