import type { Sequence, StoredEvent } from '../../core/protocol/events.ts';
import { EVENT_TYPES } from '../../core/protocol/events.ts';
import { eventId, newEpochId, tombstoneData } from './events-out.ts';
import { MemoryOutbox } from './memory-outbox.ts';
import {
  type Between,
  DEFAULT_STORE_LIMITS,
  type IncidentRow,
  type NewEvent,
  type OutboxFigures,
  type PoisonedEvent,
  type SampleRow,
  type Store,
  type StoreLimits,
} from './store.ts';

export interface MemoryStoreOptions {
  readonly nowMs: () => number;
  readonly randomHex: (bytes: number) => string;
  readonly limits?: StoreLimits;
}

const EMPTY_FIGURES: OutboxFigures = { pending: 0, bytes: 0, dropped: 0, poisoned: 0, oldestTimeMs: null };
/** What a row takes beside its values, so that `bytes` means about what it means on disk. */
const ROW_OVERHEAD_BYTES = 24;

/** The store's contract without a disk: for tests and the simulation. */
export class MemoryStore implements Store {
  readonly epoch: string;
  readonly findings: readonly string[] = [];
  readonly epochReason = 'new';
  readonly #nowMs: () => number;
  readonly #limits: StoreLimits;
  /** By time. */
  #samples: SampleRow[] = [];
  #events: StoredEvent[] = [];
  #n = 0;
  readonly #incidents = new Map<string, IncidentRow>();
  readonly #state = new Map<string, string>();
  readonly #sinks = new Map<string, MemoryOutbox>();

  constructor(options: MemoryStoreOptions) {
    this.#nowMs = options.nowMs;
    this.#limits = options.limits ?? DEFAULT_STORE_LIMITS;
    this.epoch = newEpochId(options.nowMs(), options.randomHex, null);
  }

  appendSample(row: SampleRow): void {
    const copy = { ...row, timeMs: Math.round(row.timeMs), values: row.values.slice() };
    const at = this.#indexOf(copy.timeMs);
    const replaces = this.#samples[at]?.timeMs === copy.timeMs;
    this.#samples.splice(at, replaces ? 1 : 0, copy);
  }

  *samples(fromMs: number, toMs: number): Generator<SampleRow> {
    for (let nextMs = fromMs; ; ) {
      const row = this.#samples[this.#indexOf(nextMs)];
      if (row === undefined || row.timeMs >= toMs) return;
      yield { ...row, values: row.values.slice() };
      nextMs = row.timeMs + 1;
    }
  }

  sampleCount(): number {
    return this.#samples.length;
  }

  lastSamples(count: number): SampleRow[] {
    return count <= 0
      ? []
      : this.#samples.slice(-count).map((row) => ({ ...row, values: row.values.slice() }));
  }

  flagSamples(fromMs: number, toMs: number, flag: number): void {
    const end = this.#indexOf(toMs);
    for (let i = this.#indexOf(fromMs); i < end; i++) {
      const row = this.#samples[i]!;
      this.#samples[i] = { ...row, flags: row.flags | flag };
    }
  }

  commitTransition(change: Parameters<Store['commitTransition']>[0]): StoredEvent[] {
    // All of `data` first: it may throw, and then nothing has happened.
    const stored = change.events.map((draft, index) => this.#number(draft, this.#n + 1 + index));
    for (const event of stored) this.#record(event, null);
    for (const sink of this.#active()) sink.enforceBound();
    for (const incident of change.incidents?.(stored) ?? []) this.#incidents.set(incident.id, incident);
    for (const [key, value] of Object.entries(change.state ?? {})) this.#state.set(key, value);
    return stored;
  }

  getState(key: string): string | null {
    return this.#state.get(key) ?? null;
  }

  putState(key: string, value: string): void {
    this.#state.set(key, value);
  }

  registerSinks(names: readonly string[]): void {
    const removed = this.#active().filter((sink) => !names.includes(sink.name));
    for (const sink of removed) sink.leave(this.#n);
    for (const name of names) {
      const known = this.#sinks.get(name);
      if (known === undefined) {
        this.#sinks.set(name, new MemoryOutbox(name, this.epoch, this.#limits.outboxMaxBytesPerSink));
      } else if (!known.active) known.comeBack(this.#n);
    }
    for (const sink of removed) this.#reportLosses(sink);
    for (const sink of this.#active()) sink.enforceBound();
  }

  pending(sink: string, limit: number, between: Between = {}): StoredEvent[] {
    const outbox = this.#sinks.get(sink);
    if (outbox === undefined) return [];
    if (outbox.owesTombstone()) {
      this.#reportLosses(outbox);
      outbox.forgetDebts();
      for (const each of this.#active()) each.enforceBound();
    }
    return outbox.pending(limit, between);
  }

  position(): number {
    return this.#n;
  }

  settle(
    sink: string,
    delivered: readonly Sequence[],
    poisoned: readonly { sequence: Sequence; reason: string }[],
  ): void {
    this.#sinks.get(sink)?.settle(delivered, poisoned, this.#nowMs());
  }

  outbox(sink: string): OutboxFigures {
    return this.#sinks.get(sink)?.figures() ?? EMPTY_FIGURES;
  }

  poisoned(sink: string, limit: number): PoisonedEvent[] {
    return this.#sinks.get(sink)?.poisoned(limit) ?? [];
  }

  incidents(limit: number): IncidentRow[] {
    return [...this.#incidents.values()]
      .sort((a, b) => b.openedAtMs - a.openedAtMs || (a.id < b.id ? 1 : -1))
      .slice(0, limit);
  }

  incident(idOrPrefix: string): IncidentRow | null {
    const exact = this.#incidents.get(idOrPrefix);
    if (exact !== undefined) return exact;
    if (idOrPrefix === '') return null;
    const found = [...this.#incidents.values()].filter((row) => row.id.startsWith(idOrPrefix));
    return found.length === 1 ? found[0]! : null;
  }

  incidentDuring(fromMs: number, toMs: number): IncidentRow | null {
    const stood = ({ openedAtMs, resolvedAtMs }: IncidentRow): boolean =>
      openedAtMs <= toMs && (resolvedAtMs ?? Number.POSITIVE_INFINITY) >= fromMs;
    return this.incidents(Number.POSITIVE_INFINITY).find(stood) ?? null;
  }

  events(afterN: number, limit: number, epoch = this.epoch): StoredEvent[] {
    if (epoch !== this.epoch) return [];
    return this.#events.filter((event) => event.sequence.n > afterN).slice(0, limit);
  }

  maintain(nowMs: number): { samples: number; events: number } {
    const { sampleRetentionMs, eventRetentionMs, databaseMaxBytes } = this.#limits;
    const expired = this.#indexOf(nowMs - sampleRetentionMs);
    this.#samples.splice(0, expired);
    let samples = expired;
    for (; this.#samples.length > 0 && this.bytes() > databaseMaxBytes; samples++) this.#samples.shift();
    const before = this.#events.length;
    const waits = (event: StoredEvent): boolean => this.#active().some((sink) => sink.holds(event.id));
    this.#events = this.#events.filter((event) => event.timeMs >= nowMs - eventRetentionMs || waits(event));
    for (const { id, resolvedAtMs } of this.#incidents.values()) {
      if (resolvedAtMs !== null && resolvedAtMs < nowMs - eventRetentionMs) this.#incidents.delete(id);
    }
    return { samples, events: before - this.#events.length };
  }

  bytes(): number {
    const rowBytes = ROW_OVERHEAD_BYTES + (this.#samples[0]?.values.byteLength ?? 0);
    return this.#samples.length * rowBytes + this.#events.reduce((sum, event) => sum + event.data.length, 0);
  }

  close(): void {}

  #active(): MemoryOutbox[] {
    return [...this.#sinks.values()].filter((sink) => sink.active);
  }

  #number(draft: NewEvent, n: number): StoredEvent {
    const sequence = { epoch: this.epoch, n };
    const { type, severity, subject } = draft;
    const data = draft.data(sequence);
    return {
      sequence,
      id: eventId(sequence),
      type,
      severity,
      timeMs: Math.round(draft.timeMs),
      subject,
      data,
    };
  }

  #record(event: StoredEvent, about: string | null): void {
    this.#events.push(event);
    this.#n = event.sequence.n;
    for (const sink of this.#active()) sink.add(event, sink.name === about);
  }

  #reportLosses(sink: MemoryOutbox): void {
    for (const debt of sink.debts()) {
      const data = (sequence: Sequence): string => tombstoneData(sequence, sink.name, debt);
      const draft: NewEvent = {
        type: EVENT_TYPES.dropped,
        severity: null,
        timeMs: this.#nowMs(),
        subject: null,
        data,
      };
      this.#record(this.#number(draft, this.#n + 1), sink.name);
    }
  }

  /** Index of the first row at or after a time. */
  #indexOf(timeMs: number): number {
    let low = 0;
    let high = this.#samples.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#samples[middle]!.timeMs < timeMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
