import type { HubLog } from './log.ts';

/** Hosts whose refusals are counted apart until the next write. */
const MAX_KEYS = 2000;
const OTHERS = '(others)';

interface Count {
  readonly site: string;
  readonly hostId: string;
  readonly reason: string;
  count: number;
}

/** What was turned away, by host and reason: counted, told of at each power of two. */
export class Refusals {
  readonly #log: HubLog;
  #fresh = new Map<string, Count>();
  readonly #totals = new Map<string, number>();

  constructor(log: HubLog) {
    this.#log = log;
  }

  /** @param detail for the log: what came is not in it */
  count(site: string | null, hostId: string | null, reason: string, detail?: string): void {
    const room = this.#fresh.size < MAX_KEYS;
    const whose = { site: site ?? '', hostId: room ? (hostId ?? '') : OTHERS, reason };
    const key = JSON.stringify(whose);
    const entry = this.#fresh.get(key) ?? { ...whose, count: 0 };
    entry.count++;
    this.#fresh.set(key, entry);
    const total = (this.#totals.get(reason) ?? 0) + 1;
    this.#totals.set(reason, total);
    // One line a reason and power of two: hostile input can't fill a log.
    if (Number.isInteger(Math.log2(total)))
      this.#log('warning', 'hub.refused', {
        reason,
        site,
        hostId,
        count: total,
        ...(detail !== undefined && { detail }),
      });
  }

  /** Not written yet. */
  get fresh(): readonly Count[] {
    return [...this.#fresh.values()];
  }

  written(): void {
    this.#fresh = new Map();
  }
}
