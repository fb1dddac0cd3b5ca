import type { DriftDecision } from '../../../core/drift/monitor.ts';
import { statisticOf } from '../../../core/drift/reference.ts';
import { type HostShape, SLOT_MS, simulateHost } from './host.ts';
import { type Columns, type Disturbance, decide, delayMs, type Fitted, fitColumns } from './run.ts';

/** Hosts of one shape: a fortnight of reference, four weeks without drift, and the same noise with drift put into it. */

export const REFERENCE_DAYS = 14;
export const LIVE_DAYS = 28;
const SLOTS_PER_DAY = 2880;
export const DAY_MS = 86_400_000;
export const HOUR_MS = 3_600_000;
/** Of a metric's standard deviation, in a day. */
const RAMP_PER_DAY = 0.25;

export const DRIFTS = ['shift 1 SD', 'shift 2 SD', 'variance x 2', 'ramp 0.25 SD a day'] as const;
export type Drift = (typeof DRIFTS)[number];
/** Days that a drift is followed for. */
const FOLLOWED_DAYS: Readonly<Record<Drift, number>> = {
  'shift 1 SD': 7,
  'shift 2 SD': 7,
  'variance x 2': 7,
  'ramp 0.25 SD a day': 14,
};

/** The first metric drifts; SD and mean are those of its reference. */
function disturbance(drift: Drift, sd: number, mean: number): Disturbance {
  return (values, sinceMs) => {
    const x = values[0] as number;
    if (drift === 'shift 1 SD') values[0] = x + sd;
    else if (drift === 'shift 2 SD') values[0] = x + 2 * sd;
    else if (drift === 'variance x 2') values[0] = mean + Math.SQRT2 * (x - mean);
    else values[0] = x + (RAMP_PER_DAY * sd * sinceMs) / DAY_MS;
  };
}

export interface DriftFigures {
  readonly drift: Drift;
  /** Time to the warning and to the request for retraining; null where there was none. */
  readonly warnedMs: readonly (number | null)[];
  readonly requestedMs: readonly (number | null)[];
  /** Severity 1, 2, 3, 5 and 7 days after the onset. */
  readonly severities: readonly (readonly number[])[];
}

export interface ShapeFigures {
  readonly shape: HostShape;
  readonly firstSeed: number;
  readonly hosts: number;
  readonly falselyWarned: number;
  readonly falselyRequested: number;
  /** Decisions without drift by severity, 1 to 10. */
  readonly severities: readonly number[];
  readonly meanD: number;
  readonly weekly: number;
  readonly drifts: readonly DriftFigures[];
}

export const SEVERITY_DAYS = [1, 2, 3, 5, 7];

export function simulateShape(
  shape: HostShape,
  firstSeed: number,
  hosts: number,
  drifts: readonly Drift[] = DRIFTS,
  liveDays = LIVE_DAYS,
): ShapeFigures {
  let [falselyWarned, falselyRequested, meanD, weekly] = [0, 0, 0, 0];
  const severities = Array<number>(10).fill(0);
  const figures = drifts.map((drift) => ({
    drift,
    warnedMs: [] as (number | null)[],
    requestedMs: [] as (number | null)[],
    severities: SEVERITY_DAYS.map(() => [] as number[]),
  }));
  for (let i = 0; i < hosts; i++) {
    const seed = firstSeed + i;
    const host = simulateHost(shape, seed, REFERENCE_DAYS + liveDays);
    const columns = { ...host, intervalMs: SLOT_MS };
    const fitted = fitColumns(columns, 0, REFERENCE_DAYS * SLOTS_PER_DAY);
    meanD += statisticOf(fitted.reference, 0, 'meanD') / hosts;
    weekly += statisticOf(fitted.reference, 0, 'weekly') / hosts;
    const quiet = decide(columns, fitted, REFERENCE_DAYS * SLOTS_PER_DAY, host.columns[0]?.length ?? 0);
    if (quiet.some(({ phase }) => phase === 'drifting')) falselyWarned++;
    if (quiet.some(({ retrain }) => retrain)) falselyRequested++;
    for (const { severity, unjudged } of quiet) {
      if (unjudged === null) severities[severity - 1] = (severities[severity - 1] as number) + 1;
    }
    for (const each of figures) {
      const { onsetMs, decisions } = drifted(columns, fitted, each.drift, seed);
      each.warnedMs.push(delayMs(decisions, onsetMs, isWarned));
      each.requestedMs.push(delayMs(decisions, onsetMs, ({ retrain }) => retrain));
      SEVERITY_DAYS.forEach((days, at) => {
        const then = decisions.find(({ atMs }) => atMs >= onsetMs + days * DAY_MS);
        if (then !== undefined) each.severities[at]?.push(then.severity);
      });
    }
  }
  return {
    shape,
    firstSeed,
    hosts,
    falselyWarned,
    falselyRequested,
    severities,
    meanD,
    weekly,
    drifts: figures,
  };
}

/** A warning that is of the metric that drifted. */
const isWarned = ({ phase, streams }: DriftDecision): boolean =>
  phase === 'drifting' && streams[0]?.over === true;

/** Drift begins on the third day after the reference, at a time of day of the seed's. */
function drifted(
  columns: Columns,
  fitted: Fitted,
  drift: Drift,
  seed: number,
): { onsetMs: number; decisions: DriftDecision[] } {
  const day = (seed * 0.6180339887498949) % 1;
  const onsetMs = columns.startMs + (REFERENCE_DAYS + 2 + day) * DAY_MS;
  const to = Math.ceil((REFERENCE_DAYS + 3 + FOLLOWED_DAYS[drift] + 0.5) * SLOTS_PER_DAY);
  const disturb = disturbance(drift, fitted.score.sd(0), fitted.score.mean(0));
  return {
    onsetMs,
    decisions: decide(columns, fitted, REFERENCE_DAYS * SLOTS_PER_DAY, to, disturb, onsetMs),
  };
}

/** Share of the delays within a limit. */
export function shareWithin(delays: readonly (number | null)[], limitMs: number): number {
  return delays.filter((delay) => delay !== null && delay <= limitMs).length / Math.max(1, delays.length);
}

/** Median in hours; what never came counts as the longest; null where most never came. */
export function medianHours(delays: readonly (number | null)[]): number | null {
  const sorted = delays.map((delay) => delay ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b);
  const middle = sorted[sorted.length >> 1] ?? Number.POSITIVE_INFINITY;
  return Number.isFinite(middle) ? Math.round(middle / HOUR_MS) : null;
}
