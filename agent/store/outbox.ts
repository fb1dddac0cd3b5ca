import type { Database } from 'better-sqlite3';
import type { Sequence, StoredEvent } from '../../core/protocol/events.ts';
import { EVENT_TYPES } from '../../core/protocol/events.ts';
import { DebtBook } from './debt-book.ts';
import { type EventLog, type LoggedEvent, toLogged } from './event-log.ts';
import { type DropReason, RANKS, rankOf, recordBytes, tombstoneData } from './events-out.ts';
import { type OutboxRow, prepareOutbox, type SinkRow, type Victim } from './outbox-sql.ts';
import type { Between, OutboxFigures } from './store.ts';

/** Victims looked up at a time. */
const VICTIM_BATCH = 64;

/**
 * One record an event and sink. Running totals per sink are held in memory and written with the transaction that
 * changed them, so nothing is ever summed. Every method that writes runs inside a transaction of the store.
 */
export class Outbox {
  readonly #log: EventLog;
  readonly #maxBytes: number;
  readonly #debts: DebtBook;
  readonly #sinks = new Map<string, SinkRow>();
  readonly #dirty = new Set<SinkRow>();
  readonly #sql: ReturnType<typeof prepareOutbox>;

  constructor(db: Database, log: EventLog, maxBytes: number) {
    this.#log = log;
    this.#maxBytes = maxBytes;
    this.#debts = new DebtBook(db);
    this.#sql = prepareOutbox(db);
    this.reload();
  }

  /** At open, and after a rollback. */
  reload(): void {
    this.#sinks.clear();
    this.#dirty.clear();
    for (const row of this.#sql.sinks.all()) this.#sinks.set(row.name, row);
    this.#debts.reload();
  }

  /** Writes the totals that changed. */
  persist(): void {
    for (const s of this.#dirty) {
      this.#sql.saveSink.run(
        s.active,
        s.pending,
        s.bytes,
        s.tombstones,
        s.dropped,
        s.poisoned,
        s.left_epoch,
        s.left_n,
        s.id,
      );
    }
    this.#dirty.clear();
  }

  /** Queues an event for every registered sink; `about`: the sink whose losses it reports. */
  add(logged: LoggedEvent, about: string | null = null): void {
    const bytes = recordBytes(logged.event);
    const rank = rankOf(logged.event);
    for (const sink of this.#active()) {
      const own = sink.name === about ? 1 : 0;
      this.#sql.insert.run(logged.rowId, sink.id, rank, own, bytes);
      sink.pending++;
      sink.bytes += bytes;
      sink.tombstones += own;
      this.#dirty.add(sink);
    }
  }

  /** Drops what is beyond the bound: least important first, oldest first within; never a sink's own tombstone. */
  enforceBound(): void {
    for (const sink of this.#active()) {
      if (sink.bytes <= this.#maxBytes) continue;
      const dropped: Victim[] = [];
      for (const rank of [...RANKS].reverse()) {
        while (sink.bytes > this.#maxBytes) {
          const victims = this.#sql.victims.all(sink.id, rank, VICTIM_BATCH);
          for (const victim of victims) {
            if (sink.bytes <= this.#maxBytes) break;
            this.#remove(sink, victim);
            dropped.push(victim);
          }
          if (victims.length < VICTIM_BATCH) break;
        }
      }
      sink.dropped += dropped.length;
      this.#debts.addEvents(sink.id, 'outbox-full', dropped);
    }
  }

  /** Whether `reportLosses` would create an event. At most one round of tombstones about a sink waits in it. */
  owesTombstone(name: string): boolean {
    const sink = this.#sinks.get(name);
    return sink !== undefined && sink.active === 1 && sink.tombstones === 0 && this.#debts.owes(sink.id);
  }

  /** Turns a sink's debts into tombstone events, one an epoch and reason. */
  reportLosses(name: string, timeMs: number, keepDebts = false): void {
    const sink = this.#sinks.get(name);
    if (sink === undefined) return;
    for (const debt of this.#debts.of(sink.id)) {
      const logged = this.#log.insert({
        type: EVENT_TYPES.dropped,
        severity: null,
        timeMs,
        subject: null,
        data: (sequence) => tombstoneData(sequence, name, debt),
      });
      this.add(logged, name);
    }
    if (!keepDebts) this.#debts.clear(sink.id);
  }

  register(names: readonly string[], timeMs: number): void {
    const removed = this.#active().filter((sink) => !names.includes(sink.name));
    for (const sink of removed) this.#deactivate(sink);
    for (const name of new Set(names)) this.#activate(name);
    // The other sinks learn of it now; the removed one itself should it ever come back.
    for (const sink of removed) this.reportLosses(sink.name, timeMs, true);
    if (names.length === 0) return;
    for (const lost of this.#log.lostEpochs()) {
      const from = lost.lost_from!;
      const range = [[from, lost.last_n]] as const;
      for (const sink of this.#active()) {
        this.#debts.add(sink.id, lost.id, lost.lost_reason as DropReason, range, lost.last_n - from + 1);
      }
    }
    this.#log.forgetLost();
  }

  needsRegistration(names: readonly string[]): boolean {
    const active = this.#active();
    const same = active.length === new Set(names).size && active.every((sink) => names.includes(sink.name));
    return !same || (names.length > 0 && this.#log.lostEpochs().length > 0);
  }

  pending(
    name: string,
    limit: number,
    { after = 0, upTo = Number.MAX_SAFE_INTEGER }: Between,
  ): StoredEvent[] {
    const sink = this.#sinks.get(name);
    if (sink === undefined || sink.pending === 0) return [];
    const batch: StoredEvent[] = [];
    for (const rank of RANKS) {
      if (batch.length >= limit) break;
      for (const columns of this.#sql.pending.all(sink.id, rank, after, upTo, limit - batch.length)) {
        batch.push(toLogged(columns).event);
      }
    }
    return batch;
  }

  settle(
    name: string,
    delivered: readonly Sequence[],
    poisoned: readonly { sequence: Sequence; reason: string }[],
    timeMs: number,
  ): void {
    const sink = this.#sinks.get(name);
    if (sink === undefined) return;
    for (const sequence of delivered) this.#take(sink, sequence);
    for (const { sequence, reason } of poisoned) {
      const logged = this.#take(sink, sequence);
      if (logged === null) continue;
      this.#sql.poison.run(logged.rowId, sink.id, reason, timeMs);
      sink.poisoned++;
      // A tombstone that is refused is not reported by another: that would go on for ever.
      if (logged.event.type === EVENT_TYPES.dropped) continue;
      this.#debts.addEvents(sink.id, 'refused', [{ epoch: logged.epochRow, n: sequence.n }]);
    }
  }

  figures(name: string): OutboxFigures {
    const sink = this.#sinks.get(name);
    if (sink === undefined) return { pending: 0, bytes: 0, dropped: 0, poisoned: 0, oldestTimeMs: null };
    const { pending, bytes, dropped, poisoned, id } = sink;
    const oldestTimeMs = pending === 0 ? null : (this.#sql.oldest.get(id, id, id, id) ?? null);
    return { pending, bytes, dropped, poisoned, oldestTimeMs };
  }

  poisoned(name: string, limit: number): { event: StoredEvent; reason: string; timeMs: number }[] {
    const sink = this.#sinks.get(name);
    if (sink === undefined) return [];
    return this.#sql.poisoned.all(sink.id, limit).map(({ reason, time_ms, epoch, n }) => {
      return { event: this.#log.find({ epoch, n })!.event, reason, timeMs: time_ms };
    });
  }

  #active(): SinkRow[] {
    return [...this.#sinks.values()].filter((sink) => sink.active === 1);
  }

  #take(sink: SinkRow, sequence: Sequence): LoggedEvent | null {
    const logged = this.#log.find(sequence);
    if (logged === null) return null;
    const row = this.#sql.record.get(logged.rowId, sink.id);
    if (row === undefined) return null; // settled before, or dropped meanwhile
    this.#remove(sink, row);
    return logged;
  }

  #remove(sink: SinkRow, row: OutboxRow): void {
    this.#sql.remove.run(row.event, sink.id);
    sink.pending--;
    sink.bytes -= row.bytes;
    sink.tombstones -= row.own_tombstone;
    this.#dirty.add(sink);
  }

  #activate(name: string): void {
    const known = this.#sinks.get(name);
    if (known === undefined) {
      this.#sql.addSink.run(name);
      this.#sinks.set(name, this.#sql.sink.get(name)!);
      return;
    }
    if (known.active === 1) return;
    const last = this.#log.epochRow;
    for (const { id, last_n } of this.#sql.epochsFrom.all(known.left_epoch ?? last)) {
      const from = id === known.left_epoch ? (known.left_n ?? 0) + 1 : 1;
      const to = id === last ? this.#log.n : last_n;
      if (from <= to) this.#debts.add(known.id, id, 'sink-absent', [[from, to]], to - from + 1);
    }
    known.active = 1;
    known.left_epoch = null;
    known.left_n = null;
    this.#dirty.add(known);
  }

  #deactivate(sink: SinkRow): void {
    const records = this.#sql.all.all(sink.id);
    for (const record of records) {
      if (record.own_tombstone === 1) this.#debts.takeBack(sink.id, record.data);
      this.#remove(sink, record);
    }
    this.#debts.addEvents(sink.id, 'sink-removed', records);
    sink.dropped += records.length;
    sink.active = 0;
    sink.left_epoch = this.#log.epochRow;
    sink.left_n = this.#log.n;
    this.#dirty.add(sink);
  }
}
