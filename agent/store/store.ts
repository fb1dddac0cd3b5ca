import type { EventType, Sequence, Severity, StoredEvent } from '../../core/protocol/events.ts';

export interface SampleRow {
  readonly timeMs: number;
  /** Raw values in schema order, float64, NaN where missing. */
  readonly values: Float64Array;
  /** Detector's score; NaN while there is no model. */
  readonly score: number;
  /** Bit 0: inside an incident. Bit 1: excluded from training (maintenance). Bit 2: gap before this row. */
  readonly flags: number;
}
export const SAMPLE_IN_INCIDENT = 1;
export const SAMPLE_EXCLUDED = 2;
export const SAMPLE_AFTER_GAP = 4;

export interface NewEvent {
  readonly type: EventType;
  readonly severity: Severity | null;
  readonly timeMs: number;
  readonly subject: string | null;
  /** Called with the sequence that the event gets, so that `data` can hold it. Returns JSON. */
  readonly data: (sequence: Sequence) => string;
}

/** The latest state of an incident, beside its events. */
export interface IncidentRow {
  readonly id: string;
  readonly state: string;
  readonly severity: Severity;
  readonly openedAtMs: number;
  readonly resolvedAtMs: number | null;
  /** JSON of the newest AlertData. */
  readonly data: string;
}

/** Why an epoch began. */
export type EpochReason =
  | 'new'
  | 'continued'
  | 'lost'
  | 'restored'
  | 'quarantined'
  /** The host has another name than before, or this is a copy of another host's state. */
  | 'renamed'
  | 'cloned';

/** Positions, the first excluded, the last included. */
export interface Between {
  readonly after?: number;
  readonly upTo?: number;
}

/** An event that a sink refused for good. */
export interface PoisonedEvent {
  readonly event: StoredEvent;
  readonly reason: string;
  readonly timeMs: number;
}

export interface OutboxFigures {
  readonly pending: number;
  readonly bytes: number;
  readonly dropped: number;
  readonly poisoned: number;
  readonly oldestTimeMs: number | null;
}

/**
 * Store and outbox: the agent's only durable memory beside its model slots.
 * Implementations: SQLite (better-sqlite3), memory (tests, simulation). All calls are synchronous.
 *
 * Contract:
 * - `commitTransition` is ONE transaction, durable (fsync) before it returns: events, an outbox record per event
 *   and sink, incident rows, the reducer's state. Nothing may be published that it has not returned.
 * - n of a sequence goes up by one an event within an epoch, never reused, not even after a lost or restored
 *   file: a high-water mark is kept outside the database, and an inconsistency begins a new epoch.
 * - The outbox of a sink is bounded in bytes. Beyond it the least important, oldest go first (events before
 *   alerts, info before critical); every drop is counted and reported by an `edgewood.events.dropped` event (a
 *   tombstone with the dropped sequence ranges, sink and reason), itself never dropped but merged. Losses are noted
 *   durably at once and become a tombstone when the sink next calls `pending`, at most one round at a time; it goes
 *   to every sink, since each must see every number. Poisoned events are reported the same way.
 * - `pending` gives the next batch of a sink: alerts by severity first, then the others, by sequence within each. `between` narrows it to
 *   events between two positions.
 * - `appendSample` is cheap (synchronous NORMAL); the last second may be lost in a power cut, never corrupted.
 * - Two samples of the same millisecond: the later one replaces the earlier.
 * - A full disk (or a write lock held by another program) throws StoreFullError from whatever writes: nothing of that
 *   call was written, the store stays usable. `settle` and `pending` don't throw it: what a sink settled meanwhile is
 *   remembered, and not handed out again.
 * - StoreCorruptError: close and open again; the file is set aside and a new one begun.
 */
export interface Store {
  readonly epoch: string;
  readonly epochReason: EpochReason;
  /** What a person should know of its opening: sentences; empty after an orderly end. */
  readonly findings: readonly string[];
  appendSample(row: SampleRow): void;
  /** Oldest first; from `fromMs` up to, not including, `toMs`. Streams; writing meanwhile is allowed. */
  samples(fromMs: number, toMs: number): Iterable<SampleRow>;
  sampleCount(): number;
  /** The newest `count` rows, oldest first. */
  lastSamples(count: number): SampleRow[];
  /** Marks the rows from `fromMs` up to, not including, `toMs` with a flag, e.g. SAMPLE_IN_INCIDENT. */
  flagSamples(fromMs: number, toMs: number, flag: number): void;
  commitTransition(change: {
    readonly events: readonly NewEvent[];
    /** Told the events as stored, so that a row can hold what its event says. */
    readonly incidents?: (events: readonly StoredEvent[]) => readonly IncidentRow[];
    readonly state?: Readonly<Record<string, string>>;
  }): StoredEvent[];
  /** Small JSON documents by key (reducer state, learner state), not fsynced one by one. */
  getState(key: string): string | null;
  putState(key: string, value: string): void;
  /** Declares the sinks; records for sinks no longer declared are dropped with a tombstone. */
  registerSinks(names: readonly string[]): void;
  pending(sink: string, limit: number, between?: Between): StoredEvent[];
  /** Of the newest event, over all epochs. */
  position(): number;
  settle(
    sink: string,
    delivered: readonly Sequence[],
    poisoned: readonly { sequence: Sequence; reason: string }[],
  ): void;
  outbox(sink: string): OutboxFigures;
  /** What a sink refused for good, newest first. */
  poisoned(sink: string, limit: number): PoisonedEvent[];
  /** Newest first. */
  incidents(limit: number): IncidentRow[];
  /** null where nothing, or more than one, begins so. */
  incident(idOrPrefix: string): IncidentRow | null;
  /** The newest that stood at some moment of that time, both ends included. */
  incidentDuring(fromMs: number, toMs: number): IncidentRow | null;
  /** Of this epoch unless another is named; by n. */
  events(afterN: number, limit: number, epoch?: string): StoredEvent[];
  /** Retention by age and bytes; call now and then (each run bounded). Returns rows removed. */
  maintain(nowMs: number): { samples: number; events: number };
  bytes(): number;
  close(): void;
}

export interface StoreLimits {
  readonly sampleRetentionMs: number;
  readonly eventRetentionMs: number;
  readonly databaseMaxBytes: number;
  readonly outboxMaxBytesPerSink: number;
}
export const DEFAULT_STORE_LIMITS: StoreLimits = {
  sampleRetentionMs: 14 * 86_400_000,
  eventRetentionMs: 90 * 86_400_000,
  databaseMaxBytes: 512 * 1024 * 1024,
  outboxMaxBytesPerSink: 32 * 1024 * 1024,
};

export class StoreFullError extends Error {
  override name = 'StoreFullError';
}
export class StoreCorruptError extends Error {
  override name = 'StoreCorruptError';
}
export class StoreUnusableError extends Error {
  override name = 'StoreUnusableError';
}
