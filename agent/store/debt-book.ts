import type { Database, Statement } from 'better-sqlite3';
import {
  type Debt,
  type DropReason,
  mergeRanges,
  type SequenceRange,
  type TombstoneData,
} from './events-out.ts';
import { damaged } from './sqlite-errors.ts';

type DebtColumns = { epoch_name: string; reason: DropReason; ranges: string; count: number };

/**
 * Losses not reported yet, by sink, epoch and reason. Losses go here first and become a tombstone only when the sink
 * next asks for work: an outage of a week ends in one event, and an event never changes once it has a number.
 */
export class DebtBook {
  readonly #get: Statement<[number, number, string], { ranges: string; count: number }>;
  readonly #put: Statement<[number, number, string, string, number]>;
  readonly #of: Statement<[number], DebtColumns>;
  readonly #clear: Statement<[number]>;
  readonly #sinks: Statement<[], number>;
  readonly #epoch: Statement<[string], number>;
  #owing = new Set<number>();

  constructor(db: Database) {
    this.#get = db.prepare('SELECT ranges, count FROM debts WHERE sink = ? AND epoch = ? AND reason = ?');
    this.#put = db.prepare(
      'INSERT OR REPLACE INTO debts (sink, epoch, reason, ranges, count) VALUES (?, ?, ?, ?, ?)',
    );
    this.#of = db.prepare(
      `SELECT p.name AS epoch_name, d.reason, d.ranges, d.count FROM debts d JOIN epochs p ON p.id = d.epoch
         WHERE d.sink = ? ORDER BY d.epoch, d.reason`,
    );
    this.#clear = db.prepare('DELETE FROM debts WHERE sink = ?');
    this.#sinks = db.prepare<[], number>('SELECT DISTINCT sink FROM debts').pluck();
    this.#epoch = db.prepare<[string], number>('SELECT id FROM epochs WHERE name = ?').pluck();
  }

  reload(): void {
    this.#owing = new Set(this.#sinks.all());
  }

  owes(sink: number): boolean {
    return this.#owing.has(sink);
  }

  of(sink: number): Debt[] {
    return this.#of.all(sink).map(({ epoch_name, reason, ranges, count }) => ({
      epoch: epoch_name,
      reason,
      ranges: parsed<SequenceRange[]>(ranges),
      count,
    }));
  }

  add(
    sink: number,
    epoch: number,
    reason: DropReason,
    ranges: readonly SequenceRange[],
    count: number,
  ): void {
    const known = this.#get.get(sink, epoch, reason);
    const before = known === undefined ? [] : parsed<SequenceRange[]>(known.ranges);
    const merged = mergeRanges([...before, ...ranges]);
    this.#put.run(sink, epoch, reason, JSON.stringify(merged), (known?.count ?? 0) + count);
    this.#owing.add(sink);
  }

  addEvents(sink: number, reason: DropReason, events: readonly { epoch: number; n: number }[]): void {
    for (const [epoch, ofEpoch] of Map.groupBy(events, (event) => event.epoch)) {
      const ranges = ofEpoch.map(({ n }): SequenceRange => [n, n]);
      this.add(sink, epoch, reason, ranges, ofEpoch.length);
    }
  }

  /** What an undelivered tombstone says is owed again. */
  takeBack(sink: number, tombstone: string): void {
    const { epoch, reason, ranges, count } = parsed<TombstoneData>(tombstone);
    const epochRow = this.#epoch.get(epoch);
    if (epochRow !== undefined) this.add(sink, epochRow, reason, ranges, count);
  }

  clear(sink: number): void {
    this.#clear.run(sink);
    this.#owing.delete(sink);
  }
}

function parsed<T>(json: string): T {
  try {
    return JSON.parse(json) as T;
  } catch {
    throw damaged('a note of losses');
  }
}
