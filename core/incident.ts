import { exp } from './math.ts';
import type { SeverityThresholds } from './model.ts';
import { type IncidentState, SEVERITIES, type Severity, type TriggerName } from './protocol/events.ts';

/**
 * From trigger readings to few incidents: a pure reducer. finite data -> warm-up and maintenance gates -> a trigger
 * over its guarded threshold -> optional k of n and least deviation -> open -> updates folded -> closed below a
 * lower threshold for m samples -> cool-down.
 */
export interface IncidentSettings {
  /** Flags merge, and an incident stands, over at most this many samples without one. */
  readonly mergeSamples: number;
  /** Below this share of its threshold a trigger has cleared. */
  readonly clearFactor: number;
  /** A standing incident is told again this often. */
  readonly renotifyMs: number;
  /** No new incident for so long after one resolved; 0: off. */
  readonly coolDownMs: number;
  /** k of the last n samples must be over the threshold; 1 of 1: off. */
  readonly persistence: { readonly k: number; readonly n: number };
  /** Largest robust deviation of any metric must reach this; 0: off. */
  readonly leastDeviation: number;
  /** Guard: thresholds rise by e^step a notification and sink by step * budget a day. */
  readonly guardStep: number;
  readonly infoPerDay: number;
}

export const INCIDENT_DEFAULTS: IncidentSettings = {
  mergeSamples: 10,
  clearFactor: 1,
  renotifyMs: 3_600_000,
  coolDownMs: 0,
  persistence: { k: 1, n: 1 },
  leastDeviation: 0,
  guardStep: 0.05,
  infoPerDay: 1,
};

export interface Reading {
  readonly name: TriggerName;
  readonly value: number;
  readonly thresholds: SeverityThresholds;
  readonly repeats: boolean;
}

export interface Observation {
  readonly timeMs: number;
  /** False where too little was measured to judge; then nothing is decided. */
  readonly usable: boolean;
  readonly gate: 'open' | 'warmup' | 'maintenance';
  readonly readings: readonly Reading[];
  /** Largest absolute robust deviation over the metrics. */
  readonly deviation: number;
}

export interface StandingIncident {
  readonly id: string;
  readonly openedAtMs: number;
  readonly trigger: TriggerName;
  readonly severity: Severity;
  readonly peak: number;
  readonly sampleCount: number;
  readonly suppressedCount: number;
  readonly lastFlagMs: number;
  readonly notifiedAtMs: number;
  readonly quietSamples: number;
}

/** Everything that has to survive a restart; JSON. */
export interface IncidentReducerState {
  readonly standing: StandingIncident | null;
  /** ln of the guard's factor. */
  readonly guard: number;
  readonly lastTimeMs: number | null;
  readonly coolUntilMs: number;
  /** Newest last: was the sample over a guarded threshold? */
  readonly recent: readonly boolean[];
  readonly notifications: number;
}

export const INITIAL_INCIDENT_STATE: IncidentReducerState = {
  standing: null,
  guard: 0,
  lastTimeMs: null,
  coolUntilMs: 0,
  recent: [],
  notifications: 0,
};

export interface Transition {
  readonly state: IncidentState;
  readonly incident: StandingIncident;
  readonly reading: Reading | null;
  readonly atMs: number;
}

const DAY_MS = 86_400_000;
const RANK: Readonly<Record<Severity, number>> = { info: 0, warning: 1, critical: 2 };

/** Severity of a value by its bare thresholds, without the guard; null below `info`. */
function severityOf(reading: Reading): Severity | null {
  let result: Severity | null = null;
  for (const severity of SEVERITIES) {
    if (reading.value > reading.thresholds[severity]) result = severity;
  }
  return result;
}

/**
 * Of the readings over their own threshold the most severe, then the one that is furthest over; or null. Severity
 * comes first because a rule's ratio knows no bounds: a sensor stuck for a day must not outshout a critical surprise.
 */
function strongest(readings: readonly Reading[], factor: number): Reading | null {
  let best: Reading | null = null;
  let bestRank = -1;
  let bestRatio = 1;
  for (const reading of readings) {
    const ratio = reading.value / (reading.thresholds.info * (reading.repeats ? factor : 1));
    if (!(ratio > 1)) continue;
    const rank = RANK[severityOf(reading) ?? 'info'];
    if (rank > bestRank || (rank === bestRank && ratio > bestRatio)) {
      best = reading;
      bestRank = rank;
      bestRatio = ratio;
    }
  }
  // A state and an alert are JSON, which knows no infinity.
  return best !== null && best.value === Number.POSITIVE_INFINITY
    ? { ...best, value: Number.MAX_VALUE }
    : best;
}

/**
 * One sample. The state is returned as it was where nothing but time moved on.
 * @param newId names an incident that opens; called at most once
 */
export function reduceIncident(
  state: IncidentReducerState,
  observation: Observation,
  settings: IncidentSettings,
  newId: () => string,
): { state: IncidentReducerState; transition: Transition | null } {
  const { timeMs } = observation;
  const elapsedMs = state.lastTimeMs === null ? 0 : Math.max(0, timeMs - state.lastTimeMs);
  const relief = (settings.guardStep * settings.infoPerDay * elapsedMs) / DAY_MS;
  const aged = { ...state, guard: Math.max(0, state.guard - relief), lastTimeMs: timeMs };
  if (!observation.usable) return { state: aged, transition: null };
  if (observation.gate !== 'open') return gated(aged, observation, settings);
  return aged.standing === null
    ? calm(aged, observation, settings, newId)
    : standing(aged, aged.standing, observation, settings);
}

/** Behind a gate nothing opens; what stands only runs out. */
function gated(
  state: IncidentReducerState,
  observation: Observation,
  settings: IncidentSettings,
): ReturnType<typeof reduceIncident> {
  if (state.standing === null) return { state: { ...state, recent: [] }, transition: null };
  return quiet(state, state.standing, observation, settings);
}

function calm(
  state: IncidentReducerState,
  observation: Observation,
  settings: IncidentSettings,
  newId: () => string,
): ReturnType<typeof reduceIncident> {
  const reading = strongest(observation.readings, exp(state.guard));
  const { k, n } = settings.persistence;
  const recent = n > 1 ? [...state.recent, reading !== null].slice(-n) : state.recent;
  const persistent = n <= 1 || recent.filter(Boolean).length >= k;
  const cooled = observation.timeMs >= state.coolUntilMs;
  const severity = reading === null ? null : (severityOf(reading) ?? 'info');
  if (
    reading === null ||
    severity === null ||
    !persistent ||
    !cooled ||
    observation.deviation < settings.leastDeviation
  ) {
    return { state: { ...state, recent }, transition: null };
  }
  const incident: StandingIncident = {
    id: newId(),
    openedAtMs: observation.timeMs,
    trigger: reading.name,
    severity,
    peak: reading.value,
    sampleCount: 1,
    suppressedCount: 0,
    lastFlagMs: observation.timeMs,
    notifiedAtMs: observation.timeMs,
    quietSamples: 0,
  };
  return {
    state: notified({ ...state, recent: [], standing: incident }, settings),
    transition: { state: 'opened', incident, reading, atMs: observation.timeMs },
  };
}

function standing(
  state: IncidentReducerState,
  incident: StandingIncident,
  observation: Observation,
  settings: IncidentSettings,
): ReturnType<typeof reduceIncident> {
  // Within a standing incident the bare threshold is enough, without the guard.
  const reading = strongest(observation.readings, 1);
  if (reading === null) return quiet(state, incident, observation, settings);
  const severity = severityOf(reading) ?? 'info';
  const rises = RANK[severity] > RANK[incident.severity];
  const due = observation.timeMs - incident.notifiedAtMs >= settings.renotifyMs;
  // What is told again is a trigger, though a rule may be further over its threshold.
  const repeated =
    due && !rises
      ? strongest(
          observation.readings.filter((r) => r.repeats),
          1,
        )
      : null;
  const told = rises ? reading : repeated;
  const tell = told !== null;
  const next: StandingIncident = {
    ...incident,
    severity: rises ? severity : incident.severity,
    peak: reading.name === incident.trigger ? Math.max(incident.peak, reading.value) : incident.peak,
    sampleCount: incident.sampleCount + 1,
    suppressedCount: incident.suppressedCount + (tell ? 0 : 1),
    lastFlagMs: observation.timeMs,
    notifiedAtMs: tell ? observation.timeMs : incident.notifiedAtMs,
    quietSamples: 0,
  };
  const after = { ...state, standing: next };
  if (!tell) return { state: after, transition: null };
  return {
    state: notified(after, settings),
    transition: { state: 'updated', incident: next, reading: told, atMs: observation.timeMs },
  };
}

/** A sample that keeps nothing alive, or just: over the clear threshold the incident stands without being counted. */
function quiet(
  state: IncidentReducerState,
  incident: StandingIncident,
  observation: Observation,
  settings: IncidentSettings,
): ReturnType<typeof reduceIncident> {
  const lingering =
    observation.gate === 'open' && strongest(observation.readings, settings.clearFactor) !== null;
  const next = { ...incident, quietSamples: lingering ? incident.quietSamples : incident.quietSamples + 1 };
  if (next.quietSamples <= settings.mergeSamples)
    return { state: { ...state, standing: next }, transition: null };
  return {
    state: { ...state, standing: null, recent: [], coolUntilMs: observation.timeMs + settings.coolDownMs },
    transition: { state: 'resolved', incident: next, reading: null, atMs: observation.timeMs },
  };
}

function notified(state: IncidentReducerState, settings: IncidentSettings): IncidentReducerState {
  return {
    ...state,
    guard: state.guard + settings.guardStep,
    notifications: state.notifications + 1,
  };
}

/** Ends a standing incident whose course nobody watched: the agent was away, or its model no longer fits. */
export function invalidateIncident(
  state: IncidentReducerState,
  atMs: number,
): { state: IncidentReducerState; transition: Transition | null } {
  if (state.standing === null) return { state, transition: null };
  return {
    state: { ...state, standing: null, recent: [] },
    transition: { state: 'invalidated', incident: state.standing, reading: null, atMs },
  };
}
