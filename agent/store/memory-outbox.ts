import type { Sequence, StoredEvent } from '../../core/protocol/events.ts';
import { EVENT_TYPES } from '../../core/protocol/events.ts';
import {
  comparePending,
  type Debt,
  type DropReason,
  eventId,
  mergeRanges,
  rankOf,
  recordBytes,
  type SequenceRange,
  type TombstoneData,
} from './events-out.ts';
import type { Between, OutboxFigures, PoisonedEvent } from './store.ts';

interface PendingRecord {
  readonly event: StoredEvent;
  readonly bytes: number;
  /** Reports losses of this very sink: never dropped. */
  readonly own: boolean;
}

/** The outbox of one sink, in memory; rules as in outbox.ts. */
export class MemoryOutbox {
  readonly name: string;
  readonly #epoch: string;
  readonly #maxBytes: number;
  readonly #records = new Map<string, PendingRecord>();
  readonly #poisoned: PoisonedEvent[] = [];
  readonly #debts = new Map<DropReason, { ranges: SequenceRange[]; count: number }>();
  active = true;
  #bytes = 0;
  #dropped = 0;
  #leftN = 0;

  constructor(name: string, epoch: string, maxBytes: number) {
    this.name = name;
    this.#epoch = epoch;
    this.#maxBytes = maxBytes;
  }

  add(event: StoredEvent, own: boolean): void {
    const bytes = recordBytes(event);
    this.#records.set(event.id, { event, bytes, own });
    this.#bytes += bytes;
  }

  enforceBound(): void {
    if (this.#bytes <= this.#maxBytes) return;
    const droppable = [...this.#records.values()]
      .filter(({ own }) => !own)
      .sort((a, b) => rankOf(b.event) - rankOf(a.event) || a.event.sequence.n - b.event.sequence.n);
    const dropped: number[] = [];
    for (const { event } of droppable) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#take(event.sequence);
      dropped.push(event.sequence.n);
    }
    this.#dropped += dropped.length;
    this.#owe('outbox-full', dropped);
  }

  owesTombstone(): boolean {
    return this.active && this.#debts.size > 0 && ![...this.#records.values()].some(({ own }) => own);
  }

  debts(): Debt[] {
    return [...this.#debts.keys()].sort().map((reason) => {
      const { ranges, count } = this.#debts.get(reason)!;
      return { epoch: this.#epoch, reason, ranges, count };
    });
  }

  forgetDebts(): void {
    this.#debts.clear();
  }

  leave(n: number): void {
    const records = [...this.#records.values()];
    for (const { event, own } of records) {
      this.#take(event.sequence);
      if (!own) continue;
      const { reason, ranges, count } = JSON.parse(event.data) as TombstoneData;
      this.#addDebt(reason, ranges, count);
    }
    const numbers = records.map(({ event }) => event.sequence.n);
    this.#owe('sink-removed', numbers);
    this.#dropped += records.length;
    this.active = false;
    this.#leftN = n;
  }

  comeBack(n: number): void {
    this.active = true;
    if (n > this.#leftN) this.#addDebt('sink-absent', [[this.#leftN + 1, n]], n - this.#leftN);
  }

  pending(limit: number, { after = 0, upTo = Number.MAX_SAFE_INTEGER }: Between): StoredEvent[] {
    return [...this.#records.values()]
      .map(({ event }) => event)
      .filter(({ sequence }) => sequence.n > after && sequence.n <= upTo)
      .sort(comparePending)
      .slice(0, limit);
  }

  holds(id: string): boolean {
    return this.#records.has(id);
  }

  settle(
    delivered: readonly Sequence[],
    poisoned: readonly { sequence: Sequence; reason: string }[],
    timeMs: number,
  ) {
    for (const sequence of delivered) this.#take(sequence);
    for (const { sequence, reason } of poisoned) {
      const record = this.#take(sequence);
      if (record === undefined) continue;
      this.#poisoned.push({ event: record.event, reason, timeMs });
      if (record.event.type !== EVENT_TYPES.dropped) this.#owe('refused', [sequence.n]);
    }
  }

  poisoned(limit: number): PoisonedEvent[] {
    return [...this.#poisoned].sort((a, b) => b.event.sequence.n - a.event.sequence.n).slice(0, limit);
  }

  figures(): OutboxFigures {
    let oldest: StoredEvent | null = null;
    for (const { event } of this.#records.values()) {
      if (oldest === null || event.sequence.n < oldest.sequence.n) oldest = event;
    }
    return {
      pending: this.#records.size,
      bytes: this.#bytes,
      dropped: this.#dropped,
      poisoned: this.#poisoned.length,
      oldestTimeMs: oldest?.timeMs ?? null,
    };
  }

  #take(sequence: Sequence): PendingRecord | undefined {
    const record = this.#records.get(eventId(sequence));
    if (record === undefined) return undefined;
    this.#records.delete(record.event.id);
    this.#bytes -= record.bytes;
    return record;
  }

  #owe(reason: DropReason, numbers: readonly number[]): void {
    if (numbers.length === 0) return;
    this.#addDebt(
      reason,
      numbers.map((n): SequenceRange => [n, n]),
      numbers.length,
    );
  }

  #addDebt(reason: DropReason, ranges: readonly SequenceRange[], count: number): void {
    const known = this.#debts.get(reason) ?? { ranges: [], count: 0 };
    this.#debts.set(reason, {
      ranges: mergeRanges([...known.ranges, ...ranges]),
      count: known.count + count,
    });
  }
}
