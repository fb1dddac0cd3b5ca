import { type ConceptJudgement, judgeConcept } from '../core/drift/concept.ts';
import type { PerformanceTelemetry } from '../core/protocol/telemetry.ts';
import type { WeekOfVerdicts } from '../core/protocol/verdict.ts';
import type { RetrainingDocument } from './retraining.ts';
import type { Store } from './store/store.ts';
import { Verdicts } from './verdicts.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const WEEK_MS = 7 * DAY_MS;
const MONTH_MS = 30 * DAY_MS;
const MOST_OPENINGS = 256;
const WEEKS_SHOWN = 4;

/** JSON: survives a restart. */
export interface PerformanceDocument {
  /** When incidents opened, the last week's, oldest first. */
  readonly openings: readonly number[];
  /** Signs of concept drift that were told of. */
  readonly told: readonly string[];
}

/** How well this host has been watched: alarms, operators' words on them, new models. */
export class Performance {
  readonly verdicts: Verdicts;
  #document: PerformanceDocument;

  constructor(store: Store, document: PerformanceDocument | null) {
    this.verdicts = new Verdicts(store);
    this.#document = document ?? { openings: [], told: [] };
  }

  get document(): PerformanceDocument {
    return this.#document;
  }

  incidentOpened(atMs: number): void {
    const openings = [...this.#document.openings.filter((time) => time > atMs - WEEK_MS), atMs];
    this.#document = { ...this.#document, openings: openings.slice(-MOST_OPENINGS) };
  }

  /**
   * Concept drift since a model was put in: the last week against what was before.
   * @returns the judgement where there is a sign that was not told of yet, else null
   */
  judge(
    model: { sha256: string; trainedToMs: number },
    budgetPerDay: number,
    inputDrift: boolean,
    nowMs: number,
  ): ConceptJudgement | null {
    const fromMs = Math.max(nowMs - WEEK_MS, model.trainedToMs);
    const recentAlerts = this.#document.openings.filter((time) => time >= fromMs && time <= nowMs).length;
    const judgement = judgeConcept({
      before: this.verdicts.counts(0, nowMs - WEEK_MS, model.sha256),
      recent: this.verdicts.counts(nowMs - WEEK_MS, nowMs + 1, model.sha256),
      recentAlerts,
      // Of a model that is a minute old, an hour's budget: not every first alarm is a sign.
      budgetedAlerts: (budgetPerDay * Math.max(HOUR_MS, nowMs - fromMs)) / DAY_MS,
      inputDrift,
    });
    const signs: readonly string[] = judgement.signs;
    const isNew = signs.some((sign) => !this.#document.told.includes(sign));
    if (signs.join() !== this.#document.told.join()) this.#document = { ...this.#document, told: signs };
    return isNew ? judgement : null;
  }

  report(nowMs: number, history: RetrainingDocument['history']): PerformanceTelemetry {
    const { trueAlerts, falseAlerts } = this.verdicts.counts(nowMs - WEEK_MS, nowMs + 1);
    const verdicts = trueAlerts + falseAlerts;
    return {
      incidentsPerHour: this.#document.openings.filter((time) => time > nowMs - DAY_MS).length / 24,
      verdicts,
      precision: verdicts === 0 ? null : trueAlerts / verdicts,
      retrainings: retrainings(nowMs, history),
      weeks: this.verdicts.weeks(nowMs, WEEKS_SHOWN),
    };
  }

  /** Of the week that a time lies in, and of the 30 days until then. */
  at(
    timeMs: number,
    history: RetrainingDocument['history'],
  ): { readonly week: WeekOfVerdicts; readonly retrainings: number } {
    return { week: this.verdicts.week(timeMs), retrainings: retrainings(timeMs, history) };
  }
}

/** New models in the 30 days until then. */
const retrainings = (nowMs: number, history: RetrainingDocument['history']): number =>
  history.filter(({ atMs, decision }) => decision === 'activated' && atMs > nowMs - MONTH_MS && atMs <= nowMs)
    .length;

/** In plain words, for the event. */
export function conceptSentence(
  { signs, precisionBefore, precisionRecent }: ConceptJudgement,
  alerts: number,
): string {
  const percent = (x: number | null): string => `${Math.round(100 * (x ?? 0))} %`;
  const words = signs.map((sign) =>
    sign === 'precision'
      ? `by operators' verdicts ${percent(precisionRecent)} of the alerts were true in the last week, ${percent(precisionBefore)} before`
      : `${alerts} incidents in the last week are more than twice the budget explains`,
  );
  return `The model no longer fits, although no metric has drifted: ${words.join('; ')}. A new one: edgewood retrain.`;
}
