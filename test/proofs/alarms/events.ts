import { INCIDENT_DEFAULTS } from '../../../core/incident.ts';
import type { AlertData } from '../../../core/protocol/events.ts';
import type { Series } from './series.ts';

/** Events as a subscriber counts them, at hourly re-notification and without point adjustment. */

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** A notification, and the rows from it to the last flagged one before the next. */
export interface Notification {
  readonly trigger: string;
  readonly severity: string;
  readonly first: number;
  readonly last: number;
}

export interface EventFigures {
  readonly incidentsPerDay: number;
  readonly notificationsPerDay: number;
  readonly falsePerDay: number;
  readonly recall: number;
  readonly precision: number;
  readonly f1: number;
  /** From the start of a caught event to the first flag in it, median; null: none was caught. */
  readonly delayMs: number | null;
  readonly days: number;
}

/**
 * `opened`, and what is told of again an hour after the last; an update for a risen severity in between is none. An
 * incident resolves `mergeSamples + 1` rows after its last flag.
 */
export function notifications(series: Series, alerts: readonly AlertData[]): Notification[] {
  const rowOf = new Map(series.timesMs.map((timeMs, row) => [timeMs, row]));
  const rowAt = (alert: AlertData): number => {
    const row = rowOf.get(
      Date.parse(alert.state === 'resolved' ? (alert.resolvedAt ?? '') : alert.sampledAt),
    );
    if (row === undefined) throw new Error(`${series.name}: an alert at ${alert.sampledAt}, where no row is`);
    return row;
  };
  const found: { trigger: string; severity: string; first: number; last: number }[] = [];
  let open = false;
  for (const alert of alerts) {
    const row = rowAt(alert);
    const current = found.at(-1);
    if (alert.state === 'resolved') {
      if (current !== undefined)
        current.last = Math.max(current.first, row - INCIDENT_DEFAULTS.mergeSamples - 1);
      open = false;
    } else if (
      alert.state === 'opened' ||
      current === undefined ||
      timeSince(series, current.first, row) >= HOUR_MS
    ) {
      if (open && current !== undefined) current.last = Math.max(current.first, row - 1);
      found.push({ trigger: alert.trigger, severity: alert.severity, first: row, last: row });
      open = true;
    }
  }
  const current = found.at(-1);
  if (open && current !== undefined) current.last = series.timesMs.length - 1;
  return found;
}

const timeSince = (series: Series, from: number, to: number): number =>
  (series.timesMs[to] as number) - (series.timesMs[from] as number);

/** Labelled segments of the test part, as [first, last] rows. */
export function segments(series: Series): [number, number][] {
  const found: [number, number][] = [];
  series.labels.forEach((label, row) => {
    const current = found.at(-1);
    if (label === 0) return;
    if (current !== undefined && current[1] === row - 1) current[1] = row;
    else found.push([row, row]);
  });
  return found;
}

export function judge(series: Series, alerts: readonly AlertData[]): EventFigures {
  const told = notifications(series, alerts);
  const events = segments(series);
  const days = ((series.timesMs.length - series.testFrom) * series.intervalMs) / DAY_MS;
  const isTrue = ({ first, last }: Notification): boolean =>
    events.some(([from, to]) => first <= to && last >= from);
  const trueOnes = told.filter(isTrue).length;
  const delays = events.flatMap(([from, to]) => {
    const hit = told.find(({ first, last }) => first <= to && last >= from);
    return hit === undefined ? [] : [timeSince(series, from, Math.max(from, hit.first))];
  });
  const recall = events.length === 0 ? 0 : delays.length / events.length;
  const precision = told.length === 0 ? 0 : trueOnes / told.length;
  return {
    incidentsPerDay: alerts.filter((alert) => alert.state === 'opened').length / days,
    notificationsPerDay: told.length / days,
    falsePerDay: (told.length - trueOnes) / days,
    recall,
    precision,
    f1: recall + precision === 0 ? 0 : (2 * recall * precision) / (recall + precision),
    delayMs: median(delays),
    days,
  };
}

export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, x) => sum + x, 0) / Math.max(1, values.length);
