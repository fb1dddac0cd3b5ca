import type { VerdictCounts } from '../core/drift/concept.ts';
import { VERDICTS, type Verdict } from '../core/protocol/verdict.ts';
import type { Store } from './store/store.ts';

const WEEK_MS = 7 * 86_400_000;
/** Newest verdicts kept: 60 kB, read and written only when somebody gives one. */
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

export interface WeekOfVerdicts {
  /** Monday 00:00 UTC. */
  readonly fromMs: number;
  readonly trueAlerts: number;
  /** False ones, and benign ones. */
  readonly falseAlerts: number;
  readonly precision: number;
}

/** 1970 began on a Thursday. */
const MONDAY_MS = 4 * 86_400_000;

/**
 * What operators said of alerts, the last word on each. Kept beside the incidents, because it outlives them: precision
 * goes by weeks. Recall, and with it F1, can't be had from verdicts on alerts: nobody is asked about what was not raised.
 */
export class Verdicts {
  readonly #store: Store;
  #records: readonly VerdictRecord[];

  constructor(store: Store) {
    this.#store = store;
    this.#records = parse(store.getState('verdicts'));
  }

  of(incidentId: string): VerdictRecord | null {
    return this.#records.find((record) => record.incidentId === incidentId) ?? null;
  }

  /** @throws StoreFullError, with nothing changed */
  give(record: VerdictRecord): void {
    const records = [...this.#records.filter(({ incidentId }) => incidentId !== record.incidentId), record];
    const kept = records.slice(-MOST);
    this.#store.putState('verdicts', JSON.stringify(kept));
    this.#records = kept;
  }

  /** Of incidents that opened from a time up to another. @param modelSha256 of one model only */
  counts(fromMs: number, toMs: number, modelSha256?: string): VerdictCounts {
    let [trueAlerts, falseAlerts] = [0, 0];
    for (const { openedAtMs, verdict, modelSha256: by } of this.#records) {
      if (openedAtMs < fromMs || openedAtMs >= toMs) continue;
      if (modelSha256 !== undefined && by !== modelSha256) continue;
      if (verdict === 'true') trueAlerts++;
      else falseAlerts++;
    }
    return { trueAlerts, falseAlerts };
  }

  /** Weeks in which an incident opened that has a verdict, newest first. */
  weeks(most: number): WeekOfVerdicts[] {
    const weeks = new Set(this.#records.map(({ openedAtMs }) => weekOf(openedAtMs)));
    return [...weeks]
      .sort((a, b) => b - a)
      .slice(0, most)
      .map((fromMs) => {
        const { trueAlerts, falseAlerts } = this.counts(fromMs, fromMs + WEEK_MS);
        return { fromMs, trueAlerts, falseAlerts, precision: trueAlerts / (trueAlerts + falseAlerts) };
      });
  }
}

const weekOf = (timeMs: number): number => Math.floor((timeMs - MONDAY_MS) / WEEK_MS) * WEEK_MS + MONDAY_MS;

/** What can't be read is as none. */
function parse(json: string | null): VerdictRecord[] {
  try {
    const records: unknown = json === null ? [] : JSON.parse(json);
    return Array.isArray(records)
      ? (records as VerdictRecord[]).filter(({ verdict }) => VERDICTS.includes(verdict))
      : [];
  } catch {
    return [];
  }
}
