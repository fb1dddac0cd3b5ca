import type { VerdictCounts } from '../core/drift/concept.ts';
import { operatorFigures } from '../core/evaluation/verdicts.ts';
import { VERDICTS, type Verdict, type WeekOfVerdicts } from '../core/protocol/verdict.ts';
import type { Store } from './store/store.ts';

const WEEK_MS = 7 * 86_400_000;
/** Newest kept, of each of the two: 60 kB, read and written only when somebody says something. */
const MOST = 512;

export interface VerdictRecord {
  readonly incidentId: string;
  readonly verdict: Verdict;
  readonly note: string;
  readonly atMs: number;
  readonly openedAtMs: number;
  /** Digest of the model that raised it. */
  readonly modelSha256: string;
}

/** A time at which something was wrong and no incident stood. */
export interface MissedRecord {
  readonly fromMs: number;
  /** The last moment of it: `fromMs` where only that is known. */
  readonly toMs: number;
  readonly note: string;
  readonly atMs: number;
}

/** 1970 began on a Thursday. */
const MONDAY_MS = 4 * 86_400_000;

/**
 * What operators said of alerts, the last word on each, and of what was missed. Kept beside the incidents, because it
 * outlives them: precision and recall go by weeks. Recall is only as complete as what operators told.
 */
export class Verdicts {
  readonly #store: Store;
  #records: readonly VerdictRecord[];
  #missed: readonly MissedRecord[];

  constructor(store: Store) {
    this.#store = store;
    this.#records = parse(store, 'verdicts', isVerdict);
    this.#missed = parse(store, 'verdicts.missed', isMissed);
  }

  of(incidentId: string): VerdictRecord | null {
    return this.#records.find((record) => record.incidentId === incidentId) ?? null;
  }

  /** In the order in which they were told. */
  get missed(): readonly MissedRecord[] {
    return this.#missed;
  }

  /** @throws StoreFullError, with nothing changed */
  give(record: VerdictRecord): void {
    const records = [...this.#records.filter(({ incidentId }) => incidentId !== record.incidentId), record];
    const kept = records.slice(-MOST);
    this.#store.putState('verdicts', JSON.stringify(kept));
    this.#records = kept;
  }

  /** The last word on what began then. @param record null: it was not so. @throws StoreFullError, with nothing changed */
  miss(fromMs: number, record: MissedRecord | null): void {
    const others = this.#missed.filter((known) => known.fromMs !== fromMs);
    const kept = (record === null ? others : [...others, record]).slice(-MOST);
    this.#store.putState('verdicts.missed', JSON.stringify(kept));
    this.#missed = kept;
  }

  /** Of incidents that opened from a time up to another. @param modelSha256 of one model only */
  counts(fromMs: number, toMs: number, modelSha256?: string): VerdictCounts {
    const by = this.#count(fromMs, toMs, modelSha256);
    return { trueAlerts: by.true, falseAlerts: by.false + by.benign };
  }

  #count(fromMs: number, toMs: number, modelSha256?: string): Record<Verdict, number> {
    const counts = { true: 0, false: 0, benign: 0 };
    for (const { openedAtMs, verdict, modelSha256: by } of this.#records) {
      if (openedAtMs < fromMs || openedAtMs >= toMs) continue;
      if (modelSha256 === undefined || by === modelSha256) counts[verdict]++;
    }
    return counts;
  }

  /** The week that a time lies in. */
  week(timeMs: number): WeekOfVerdicts {
    const fromMs = Math.floor((timeMs - MONDAY_MS) / WEEK_MS) * WEEK_MS + MONDAY_MS;
    const toMs = fromMs + WEEK_MS;
    const by = this.#count(fromMs, toMs);
    const counts = {
      trueAlerts: by.true,
      falseAlerts: by.false,
      benignAlerts: by.benign,
      missed: this.#missed.filter((one) => one.fromMs >= fromMs && one.fromMs < toMs).length,
    };
    return { fromMs, judged: by.true + by.false + by.benign, ...counts, ...operatorFigures(counts) };
  }

  /** So many, the one of `nowMs` first. */
  weeks(nowMs: number, count: number): WeekOfVerdicts[] {
    return Array.from({ length: count }, (_, ago) => this.week(nowMs - ago * WEEK_MS));
  }
}

const isVerdict = ({ verdict }: VerdictRecord): boolean => VERDICTS.includes(verdict);
const isMissed = ({ fromMs, toMs }: MissedRecord): boolean => Number.isFinite(fromMs) && toMs >= fromMs;

/** What can't be read is as none. */
function parse<T>(store: Store, key: string, valid: (record: T) => boolean): readonly T[] {
  try {
    const records: unknown = JSON.parse(store.getState(key) ?? '[]');
    return Array.isArray(records) ? (records as T[]).filter(valid) : [];
  } catch {
    return [];
  }
}
