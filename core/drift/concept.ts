import { exp, ln } from '../math.ts';

/**
 * Concept drift: the metrics look as they did, but what the model makes of them no longer holds. Two signs, from counts
 * that the agent has: operators call more of the alerts false, or there are more alerts than the budget allows while no
 * metric has drifted.
 */

/** Operators' words on alerts: `benign` is a true observation that nobody needed, and counts as false. */
export interface VerdictCounts {
  readonly trueAlerts: number;
  readonly falseAlerts: number;
}

export interface ConceptEvidence {
  /** Verdicts under this model until the recent time. */
  readonly before: VerdictCounts;
  readonly recent: VerdictCounts;
  /** Alerts of the recent time, and how many the budget allows for it. */
  readonly recentAlerts: number;
  readonly budgetedAlerts: number;
  /** Some metric is over its threshold: then more alerts are input drift's. */
  readonly inputDrift: boolean;
}

export type ConceptSign = 'precision' | 'alertRate';

export interface ConceptJudgement {
  readonly signs: readonly ConceptSign[];
  /** Share of true ones among the alerts with a verdict; null without any. */
  readonly precisionBefore: number | null;
  readonly precisionRecent: number | null;
  /** Fisher's exact test, one-sided; 1 where there are too few verdicts. */
  readonly precisionP: number;
  /** Poisson at twice the budget. */
  readonly alertRateP: number;
}

/** Verdicts that each side needs before they are compared. */
const LEAST_VERDICTS = 5;
/** By so much precision must have fallen, whatever the p. */
const LEAST_FALL = 0.2;
const PRECISION_P = 0.01;
const ALERT_RATE_P = 0.001;
/** Alerts come in bunches: the rate is held against twice the budget. */
const BUNCHING = 2;

export function judgeConcept(evidence: ConceptEvidence): ConceptJudgement {
  const { before, recent } = evidence;
  const precisionBefore = precision(before);
  const precisionRecent = precision(recent);
  const enough = Math.min(size(before), size(recent)) >= LEAST_VERDICTS;
  const precisionP = enough ? fisherLess(recent, before) : 1;
  const alertRateP = poissonTail(evidence.recentAlerts, BUNCHING * evidence.budgetedAlerts);
  const fall = (precisionBefore ?? 0) - (precisionRecent ?? 0);
  const signs: ConceptSign[] = [];
  if (precisionP < PRECISION_P && fall >= LEAST_FALL) signs.push('precision');
  if (alertRateP < ALERT_RATE_P && !evidence.inputDrift) signs.push('alertRate');
  return { signs, precisionBefore, precisionRecent, precisionP, alertRateP };
}

const size = ({ trueAlerts, falseAlerts }: VerdictCounts): number => trueAlerts + falseAlerts;
const precision = (counts: VerdictCounts): number | null =>
  size(counts) === 0 ? null : counts.trueAlerts / size(counts);

/** P(at most so many true ones in `a`) if a and b were drawn from the same alerts (hypergeometric). */
export function fisherLess(a: VerdictCounts, b: VerdictCounts): number {
  const trues = a.trueAlerts + b.trueAlerts;
  const [sizeA, all] = [size(a), size(a) + size(b)];
  let p = 0;
  for (let k = Math.max(0, sizeA - (all - trues)); k <= a.trueAlerts; k++) {
    p += exp(lnChoose(trues, k) + lnChoose(all - trues, sizeA - k) - lnChoose(all, sizeA));
  }
  return Math.min(1, p);
}

/** P(X >= count) for a Poisson of this mean. */
export function poissonTail(count: number, mean: number): number {
  if (count <= 0) return 1;
  if (!(mean > 0)) return 0;
  let term = exp(count * ln(mean) - mean - lnFactorial(count));
  if (count <= mean) {
    let below = 0;
    for (let k = 0; k < count; k++) below += exp(k * ln(mean) - mean - lnFactorial(k));
    return Math.max(0, 1 - below);
  }
  let p = 0;
  for (let k = count; term > p * 1e-17; k++) {
    p += term;
    term *= mean / (k + 1);
  }
  return p;
}

const lnChoose = (n: number, k: number): number =>
  k < 0 || k > n ? Number.NEGATIVE_INFINITY : lnFactorial(n) - lnFactorial(k) - lnFactorial(n - k);

function lnFactorial(n: number): number {
  let sum = 0;
  for (let k = 2; k <= n; k++) sum += ln(k);
  return sum;
}
