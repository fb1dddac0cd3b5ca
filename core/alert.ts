import type { Transition } from './incident.ts';
import { quantileSorted } from './math.ts';
import { type Model, REFERENCE_QUANTILES } from './model.ts';
import type { AlertData, Explanation, FeatureReport, Sequence } from './protocol/events.ts';
import type { Watcher } from './watcher.ts';
import { explainInWords } from './words.ts';

const TOP_FEATURES = 5;

/** What the alert says beside the detection: who, which model file, under which circumstances. */
export interface AlertContext {
  readonly host: AlertData['host'];
  readonly agentVersion: string;
  readonly modelSha256: string;
  readonly modelAlias: string | null;
  readonly replayed: boolean;
  readonly warmingUp: boolean;
  readonly maintenance: boolean;
  readonly driftSeverity: number | null;
  readonly processes: AlertData['processes'];
}

const iso = (ms: number): string => new Date(ms).toISOString();
const orNull = (x: number): number | null => (Number.isFinite(x) ? x : null);

/** `data` of the event of a transition, from the watcher as it stands after that sample. */
export function alertData(
  transition: Transition,
  watcher: Watcher,
  context: AlertContext,
  sequence: Sequence,
): AlertData {
  const { incident, state } = transition;
  const { model } = watcher;
  const reading = watcher.alarm.readings.find(
    (r) => r.name === (transition.reading?.name ?? incident.trigger),
  );
  const thresholds = reading?.thresholds ?? model.thresholds.surprise;
  const features = featureReports(watcher);
  const score = watcher.lastScores.at(-1) ?? Number.NaN;
  const ended = state === 'resolved' || state === 'invalidated';
  return {
    schemaVersion: 1,
    incidentId: incident.id,
    sequence,
    host: context.host,
    agentVersion: context.agentVersion,
    state,
    openedAt: iso(incident.openedAtMs),
    resolvedAt: ended ? iso(transition.atMs) : null,
    durationMs: Math.max(0, (ended ? incident.lastFlagMs : transition.atMs) - incident.openedAtMs),
    sampleCount: incident.sampleCount,
    suppressedCount: incident.suppressedCount,
    provisional: thresholds.provisional,
    sampledAt: iso(transition.atMs),
    publishedAt: null,
    replayed: context.replayed,
    score: orNull(score),
    percentile: percentileOf(model.reference.score, score),
    triggerValue: reading?.value ?? 0,
    threshold: thresholds.info,
    clearThreshold: thresholds.info * watcher.settings.clearFactor,
    thresholds: { info: thresholds.info, warning: thresholds.warning, critical: thresholds.critical },
    severity: incident.severity,
    trigger: reading?.name ?? incident.trigger,
    budget: model.budget,
    features,
    explanation: explain(transition, watcher, features),
    processes: context.processes,
    context: {
      lastScores: watcher.lastScores.map(orNull),
      driftSeverity: context.driftSeverity,
      warmingUp: context.warmingUp,
      maintenance: context.maintenance,
    },
    model: {
      name: model.provenance.name,
      version: model.provenance.version,
      sha256: context.modelSha256,
      alias: context.modelAlias,
      trainedFrom: iso(model.provenance.trainedFromMs),
      trainedTo: iso(model.provenance.trainedToMs),
    },
  };
}

function featureReports(watcher: Watcher): FeatureReport[] {
  const { model, detector, values, deviations } = watcher;
  const contributions = new Float64Array(values.length);
  detector.contributions(contributions);
  const inputs = detector.inputs();
  return model.schema.map((metric, i) => {
    const quantiles = referenceOf(model, i);
    const value = values[i] as number;
    const low = quantileSorted(quantiles, 0.05);
    const high = quantileSorted(quantiles, 0.95);
    const own = inputs.subarray(i * detector.inputsPerMetric, (i + 1) * detector.inputsPerMetric);
    return {
      name: metric.name,
      unit: metric.unit,
      value: orNull(value),
      expectedMedian: orNull(quantileSorted(quantiles, 0.5)),
      expectedLow: orNull(low),
      expectedHigh: orNull(high),
      robustDeviation: orNull(deviations[i] as number),
      direction: Number.isNaN(value) ? 'missing' : value > high ? 'high' : value < low ? 'low' : 'normal',
      contribution: contributions[i] as number,
      inputs: Array.from(own, orNull),
    };
  });
}

const referenceOf = (model: Model, metric: number): Float64Array =>
  model.reference.metrics.subarray(metric * REFERENCE_QUANTILES, (metric + 1) * REFERENCE_QUANTILES);

/** Share of the reference below x, in percent, interpolated between its quantiles. */
export function percentileOf(quantiles: Float64Array, x: number): number | null {
  const last = quantiles.length - 1;
  if (!Number.isFinite(x) || Number.isNaN(quantiles[0])) return null;
  if (x >= (quantiles[last] as number)) return 100;
  if (x <= (quantiles[0] as number)) return 0;
  let i = 0;
  while ((quantiles[i + 1] as number) <= x) i++;
  const low = quantiles[i] as number;
  const high = quantiles[i + 1] as number;
  return (100 * (i + (high > low ? (x - low) / (high - low) : 0))) / last;
}

/** Which quantity is explained depends on what fired; each decomposition adds up: see `method`. */
function explain(transition: Transition, watcher: Watcher, features: readonly FeatureReport[]): Explanation {
  const name = transition.reading?.name ?? transition.incident.trigger;
  const reading = watcher.alarm.readings.find((r) => r.name === name);
  const shares = new Float64Array(features.length);
  let method: string;
  let baseValue = 0;
  let explained = reading?.value ?? 0;
  if (name === 'surprise') {
    method = 'surprise-shares';
    shares.set(watcher.alarm.surprise.contributions);
  } else if (name === 'forest' || name === 'score') {
    method = watcher.model.detector === 'metric-forests' ? 'shapley-additive' : 'tree-shap-path-length';
    baseValue = watcher.detector.baseValue;
    explained = watcher.detector.explained();
    watcher.detector.contributions(shares);
  } else {
    method = 'rule';
    if (reading !== undefined && reading.metric >= 0) shares[reading.metric] = explained;
  }
  const positive = shares.reduce((sum, x) => sum + Math.max(0, x), 0);
  const top = features
    .map((feature, i) => ({
      feature: feature.name,
      contribution: shares[i] as number,
      share: positive > 0 ? Math.max(0, shares[i] as number) / positive : 0,
    }))
    .filter((entry) => entry.share > 0)
    .sort((a, b) => b.contribution - a.contribution)
    .slice(0, TOP_FEATURES);
  const sentence = explainInWords({
    state: transition.state,
    trigger: name,
    features,
    labels: new Map(watcher.model.schema.map((metric) => [metric.name, metric.label])),
    top,
    durationMs: Math.max(0, transition.incident.lastFlagMs - transition.incident.openedAtMs),
  });
  return { method, baseValue, explained, top, sentence };
}
