import type { Acknowledgement } from '../core/protocol/acknowledgement.ts';
import type { Sequence, StoredEvent } from '../core/protocol/events.ts';

/** Backlog that may be under way, unacknowledged. */
const MAX_BACKLOG_UNDER_WAY = 256;
const PROBE_EVENTS = 16;
const PROBE_AFTER_MS = 60_000;
const PROBE_CAP_MS = 30 * 60_000;

interface UnderWay {
  readonly sequence: Sequence;
  readonly sentMs: number;
  /** By the broker. */
  taken: boolean;
  /** By the hub. */
  acknowledged: boolean;
}

/**
 * Events that the broker has and the hub has not acknowledged yet. They stay in the outbox, and are not sent again
 * but for a few now and then, which ask whether the hub is back: an absent hub costs the broker nothing.
 */
export class HubWindow {
  /** In the order in which they were sent. */
  readonly #underWay = new Map<string, UnderWay>();
  #waitMs = PROBE_AFTER_MS;
  #lastProbeMs = Number.NEGATIVE_INFINITY;

  get size(): number {
    return this.#underWay.size;
  }

  has(id: string): boolean {
    return this.#underWay.has(id);
  }

  sent(event: StoredEvent, nowMs: number): void {
    const { id, sequence } = event;
    this.#underWay.set(id, { sequence, sentMs: nowMs, taken: false, acknowledged: false });
  }

  /** The broker has it. @returns whether the hub had spoken of it before, so that it is settled now */
  taken(id: string): boolean {
    const one = this.#underWay.get(id);
    if (one === undefined) return false;
    one.taken = true;
    return one.acknowledged && this.#underWay.delete(id);
  }

  notSent(id: string): void {
    this.#underWay.delete(id);
  }

  /** How much backlog may follow: none while the hub keeps silent. */
  backlogRoom(nowMs: number): number {
    return this.#silent(nowMs) ? 0 : Math.max(0, MAX_BACKLOG_UNDER_WAY - this.#underWay.size);
  }

  #silent(nowMs: number): boolean {
    const [oldest] = this.#underWay.values();
    return oldest !== undefined && nowMs - oldest.sentMs > PROBE_AFTER_MS;
  }

  /** When there will be something to probe; null: nothing is under way. */
  probeInMs(nowMs: number): number | null {
    const [oldest] = this.#underWay.values();
    if (oldest === undefined) return null;
    return Math.max(0, Math.max(oldest.sentMs + PROBE_AFTER_MS, this.#lastProbeMs + this.#waitMs) - nowMs);
  }

  /** Lets go of the oldest few, where it is time to: they are pending like any other, and will be sent again. */
  probe(nowMs: number): number {
    if (this.probeInMs(nowMs) !== 0) return 0;
    this.#lastProbeMs = nowMs;
    this.#waitMs = Math.min(PROBE_CAP_MS, this.#waitMs * 2);
    const oldest = [...this.#underWay.keys()].slice(0, PROBE_EVENTS);
    for (const id of oldest) this.#underWay.delete(id);
    return oldest.length;
  }

  /**
   * @returns what it speaks of, of what the broker has: a word that comes before the broker's waits for that, so that
   * a forged one never makes an event less safe than without a hub
   */
  acknowledged({ epoch, ranges }: Acknowledgement): Sequence[] {
    const settled: Sequence[] = [];
    let spokenOf = 0;
    for (const [id, one] of this.#underWay) {
      const { n } = one.sequence;
      if (one.sequence.epoch !== epoch || !ranges.some(([from, to]) => n >= from && n <= to)) continue;
      spokenOf++;
      one.acknowledged = true;
      if (!one.taken) continue;
      this.#underWay.delete(id);
      settled.push(one.sequence);
    }
    if (spokenOf > 0) {
      this.#waitMs = PROBE_AFTER_MS;
      this.#lastProbeMs = Number.NEGATIVE_INFINITY;
    }
    return settled;
  }
}
