import {
  DECISION_DEFAULTS,
  type DecisionSettings,
  isFilled,
  judgeWindow,
  type StreamJudgement,
} from './decision.ts';
import { DAY_MS, type DriftReference, isProvisional } from './reference.ts';
import { type DriftExtent, driftSeverity } from './severity.ts';
import { exceedanceOf } from './significance.ts';
import { type DriftSample, DriftWindows } from './windows.ts';

/**
 * Drift over time: D moves with every sample, a decision is taken every half window. A window over its threshold is
 * `suspected`; two decisions in a row are drift (`drifting`, the warning); five in a row, that is three windows side by
 * side, ask for retraining, at most once in a day and once in a standing drift's day.
 */

/** Decisions in a row, half a window apart. */
export const WARN_AFTER = 2;
/** Three windows that do not overlap. */
export const RETRAIN_AFTER = 5;
/** A reference that has not seen a whole fortnight takes a weekend for drift: five windows outlast one. */
export const RETRAIN_AFTER_PROVISIONAL = 9;
/** Decisions in a row with nothing over that end a drift. */
export const CLEAR_AFTER = 2;
export const MOST_REQUESTS_PER_MS = DAY_MS;

export type DriftPhase = 'steady' | 'suspected' | 'drifting';
/** What drifted: the metrics, or what the model makes of them. */
export type DriftKind = 'input' | 'prediction';
export type SensorFault =
  | { readonly fault: 'stuck' | 'missing'; readonly stream: number }
  | { readonly fault: 'clock'; readonly stream: null };

/** What must survive a restart, as JSON; the windows are filled anew from stored samples. */
export interface DriftState {
  /** Digest of the model whose reference it belongs to. */
  readonly model: string;
  readonly lastDecisionMs: number | null;
  readonly phase: DriftPhase;
  /** Decisions in a row at which each stream was over. */
  readonly streaks: readonly number[];
  readonly cleanDecisions: number;
  readonly sinceMs: number | null;
  readonly severity: number;
  /** Outlives the model: a new one must not be asked for again at once. */
  readonly lastRequestMs: number | null;
}

export interface DriftDecision {
  readonly atMs: number;
  readonly phase: DriftPhase;
  /** The phase before this decision. */
  readonly before: DriftPhase;
  /** 1 to 10. */
  readonly severity: number;
  readonly provisional: boolean;
  readonly kinds: readonly DriftKind[];
  /** One a stream, metrics in schema order and then the score; empty where the window was not judged. */
  readonly streams: readonly StreamJudgement[];
  readonly faults: readonly SensorFault[];
  /** Ask for a new model now. */
  readonly retrain: boolean;
  /** It would have been asked for, but was within the last day. */
  readonly heldBack: boolean;
  readonly unjudged: 'filling' | 'clock' | null;
}

export class DriftMonitor {
  readonly windows: DriftWindows;
  readonly #settings: DecisionSettings;
  readonly #provisional: boolean;
  #state: DriftState;

  /**
   * @param model digest of the model that the reference is of
   * @param saved what `state` gave before a restart, or under another model: of that only the times of the last decision and request count
   */
  constructor(
    reference: DriftReference,
    intervalMs: number,
    model: string,
    saved: DriftState | null = null,
    settings: DecisionSettings = DECISION_DEFAULTS,
  ) {
    this.windows = new DriftWindows(reference, intervalMs);
    this.#settings = settings;
    this.#provisional = isProvisional(reference);
    const same = saved !== null && saved.model === model && saved.streaks.length === reference.streams;
    this.#state = same ? saved : fresh(model, reference.streams, saved);
  }

  get state(): DriftState {
    return this.#state;
  }

  /**
   * @returns the decisions that this sample completed: none but every half window. After a restart, stored samples of the
   *   last window fill it anew; what was decided is not decided again.
   */
  update(sample: DriftSample): DriftDecision[] {
    const decisions: DriftDecision[] = [];
    this.windows.update(sample, (atMs) => {
      if (atMs > (this.#state.lastDecisionMs ?? Number.NEGATIVE_INFINITY)) decisions.push(this.#decide(atMs));
    });
    return decisions;
  }

  #decide(atMs: number): DriftDecision {
    const { windows } = this;
    const before = this.#state;
    const clock = windows.backwards > 0;
    const unjudged = clock ? 'clock' : isFilled(windows) ? null : 'filling';
    const streams = unjudged === null ? judgeWindow(windows, this.#settings) : [];
    const faults: SensorFault[] = clock ? [{ fault: 'clock', stream: null }] : [];
    for (const [stream, { unjudged: why }] of streams.entries()) {
      if (why === 'stuck' || why === 'missing') faults.push({ fault: why, stream });
    }
    if (unjudged === null) this.#state = this.#next(streams, atMs);
    else this.#state = { ...before, lastDecisionMs: atMs };
    const { severity, streaks, phase, lastRequestMs } = this.#state;
    const due = Math.max(...streaks) >= (this.#provisional ? RETRAIN_AFTER_PROVISIONAL : RETRAIN_AFTER);
    const heldBack =
      due && unjudged === null && lastRequestMs !== null && atMs - lastRequestMs < MOST_REQUESTS_PER_MS;
    const retrain = due && unjudged === null && !heldBack;
    if (retrain) this.#state = { ...this.#state, lastRequestMs: atMs };
    const kinds: DriftKind[] = [];
    if (streaks.slice(0, -1).some((streak) => streak > 0)) kinds.push('input');
    if ((streaks.at(-1) ?? 0) > 0) kinds.push('prediction');
    return {
      atMs,
      phase,
      before: before.phase,
      severity,
      provisional: this.#provisional,
      kinds,
      streams,
      faults,
      retrain,
      heldBack,
      unjudged,
    };
  }

  #next(streams: readonly StreamJudgement[], atMs: number): DriftState {
    const before = this.#state;
    const streaks = streams.map(({ over }, stream) => (over ? (before.streaks[stream] as number) + 1 : 0));
    const longest = Math.max(...streaks);
    const cleanDecisions = longest > 0 ? 0 : before.cleanDecisions + 1;
    const stands = before.phase === 'drifting' && cleanDecisions < CLEAR_AFTER;
    const phase: DriftPhase =
      longest >= WARN_AFTER || stands ? 'drifting' : longest > 0 ? 'suspected' : 'steady';
    return {
      ...before,
      lastDecisionMs: atMs,
      phase,
      streaks,
      cleanDecisions,
      sinceMs: phase === 'steady' ? null : (before.sinceMs ?? atMs - this.windows.strideMs),
      severity: driftSeverity(extentOf(streams, longest)),
    };
  }
}

function extentOf(streams: readonly StreamJudgement[], persistence: number): DriftExtent {
  const judged = streams.filter(({ unjudged }) => unjudged === null);
  const metrics = streams.slice(0, -1).filter(({ unjudged }) => unjudged === null);
  return {
    exceedance: Math.max(0, ...judged.map(exceedanceOf)),
    share: metrics.filter(({ over }) => over).length / Math.max(1, metrics.length),
    persistence,
  };
}

const fresh = (model: string, streams: number, saved: DriftState | null): DriftState => ({
  model,
  lastDecisionMs: saved?.lastDecisionMs ?? null,
  phase: 'steady',
  streaks: Array<number>(streams).fill(0),
  cleanDecisions: 0,
  sinceMs: null,
  severity: 1,
  lastRequestMs: saved?.lastRequestMs ?? null,
});
