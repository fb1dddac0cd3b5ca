import type { TombstoneData } from '../../agent/store/events-out.ts';
import type { Store } from '../../agent/store/store.ts';
import { EVENT_TYPES, type StoredEvent } from '../../core/protocol/events.ts';
import type { FarSide } from './network.ts';

/** What every far side got, and whether that is what it was promised. */
export class Ledger {
  readonly violations: string[] = [];
  readonly #byFar = new Map<string, Map<string, string>>();
  readonly #anywhere = new Map<string, string>();
  /** Highest number of each epoch that anyone ever saw. */
  readonly #highest = new Map<string, number>();
  arrivals = 0;
  duplicates = 0;
  tombstones = 0;

  /** An event arrived: it must be stored, now, as it is; and one id is one event, for ever. */
  arrived(far: FarSide, event: StoredEvent, store: Store | null): void {
    this.arrivals++;
    const { epoch, n } = event.sequence;
    if (event.id !== `${epoch}-${n}`)
      this.violations.push(`${far.name}: id ${event.id} is not ${epoch}-${n}`);
    const seen = this.#byFar.get(far.name) ?? new Map<string, string>();
    this.#byFar.set(far.name, seen);
    if (seen.has(event.id)) this.duplicates++;
    else if (event.type === EVENT_TYPES.dropped) this.tombstones++;
    seen.set(event.id, event.data);
    const before = this.#anywhere.get(event.id);
    if (before !== undefined && before !== event.data)
      this.violations.push(`number given twice: ${event.id}`);
    this.#anywhere.set(event.id, event.data);
    this.#highest.set(epoch, Math.max(n, this.#highest.get(epoch) ?? 0));
    const stored = store?.events(n - 1, 1, epoch)[0];
    if (store !== null && stored?.data !== event.data) {
      this.violations.push(`${far.name}: ${event.id} was published, and is not stored`);
    }
  }

  /** After a restart in the same epoch: nothing that was published may be forgotten. */
  restarted(store: Store): void {
    const highest = this.#highest.get(store.epoch) ?? 0;
    if (highest === 0) return;
    const [last] = store.events(highest - 1, 1);
    if (last?.data !== this.#anywhere.get(`${store.epoch}-${highest}`)) {
      this.violations.push(`${store.epoch}-${highest} was published, and is forgotten`);
    }
  }

  /**
   * At the end: every number of every epoch arrived everywhere, or a tombstone that arrived names it.
   * @param pruned a database at its cap may have let go of events that every sink has, or has been told of as lost
   */
  complete(far: FarSide, store: Store, { pruned = false } = {}): void {
    const seen = this.#byFar.get(far.name) ?? new Map<string, string>();
    const covered = new Map<string, (readonly [number, number])[]>();
    for (const data of seen.values()) {
      const { ranges, epoch, sink } = JSON.parse(data) as Partial<TombstoneData>;
      if (ranges === undefined || epoch === undefined || sink !== far.name) continue;
      covered.set(epoch, [...(covered.get(epoch) ?? []), ...ranges]);
    }
    const highest = new Map(this.#highest);
    const own = store.events(0, 1_000_000);
    highest.set(store.epoch, own.at(-1)?.sequence.n ?? 0);
    for (const [epoch, last] of highest) {
      for (let n = 1; n <= last; n++) {
        if (seen.has(`${epoch}-${n}`)) continue;
        if (covered.get(epoch)?.some(([from, to]) => n >= from && n <= to)) continue;
        this.violations.push(`${far.name}: ${epoch}-${n} never came, and no tombstone names it`);
        return;
      }
    }
    own.forEach((event, i) => {
      if (!pruned && event.sequence.n !== i + 1) this.violations.push(`gap in the store before ${event.id}`);
    });
  }
}
