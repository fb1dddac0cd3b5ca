import {
  type EventFigures,
  judgeEvents,
  judgeRows,
  middle,
  notificationsOf,
} from '../../core/evaluation/events.ts';
import { FAULT_KINDS, type FaultKind, injectFaults } from '../../core/evaluation/faults.ts';
import { notificationRule, type Observed, observe } from '../../core/evaluation/observe.ts';
import { rank, volumeUnderPr } from '../../core/evaluation/ranking.ts';
import { calibratedFor, type Model } from '../../core/model.ts';
import { Random } from '../../core/random.ts';
import { UNLABELLED } from '../data/recording.ts';
import type { JudgedPart } from './parts.ts';

export interface InjectedFigures {
  readonly faults: number;
  readonly caught: number;
  readonly recall: number;
}

/** What a model is worth on rows that it was not trained on. */
export interface Assessment {
  readonly rows: number;
  readonly days: number;
  /** Row by row, against labels; null where there are none. */
  readonly precision: number | null;
  readonly recall: number | null;
  readonly f1: number | null;
  readonly rocAuc: number | null;
  readonly averagePrecision: number | null;
  readonly vusPr: number | null;
  readonly contamination: number | null;
  readonly alarmsPerDay: number;
  /** null where there are no labels at all: then nobody knows which were false. */
  readonly falseAlarmsPerDay: number | null;
  readonly events: Pick<
    EventFigures,
    'segments' | 'found' | 'recall' | 'precision' | 'f1' | 'delayMs'
  > | null;
  readonly flaggedShare: number;
  readonly injected: Readonly<Partial<Record<FaultKind, InjectedFigures>>>;
}

/** One host's part, as the model sees it. */
export interface Seen {
  readonly part: JudgedPart;
  readonly labels: Uint8Array | null;
  readonly observed: Observed;
}

export function see(model: Model, part: JudgedPart): Seen {
  const { recording, from, host } = part;
  const own = calibratedFor(model, host);
  return {
    part,
    labels: recording.labels?.subarray(from) ?? null,
    observed: observe(own, schemaFor(model, recording.names), {
      timesMs: recording.timesMs,
      columns: recording.columns,
      from,
    }),
  };
}

/** The columns of a recording, as a schema: names decide, the rest is the model's. */
export const schemaFor = (model: Model, names: readonly string[]): Model['schema'] =>
  names.map(
    (name) =>
      model.schema.find((metric) => metric.name === name) ?? {
        name,
        unit: 'value',
        scale: 0,
        noiseFloor: 0,
        label: name,
      },
  );

export interface AssessOptions {
  readonly seed: number;
  readonly faults: readonly FaultKind[];
  /** The volume under the surface takes seconds on long parts. */
  readonly vus: boolean;
}

export function assess(
  model: Model,
  seen: readonly Seen[],
  deviations: ArrayLike<number>,
  options: AssessOptions,
): Assessment {
  const figures = seen.map(({ observed, labels, part }) => ({
    events: judgeEvents(
      observed.flags,
      labels,
      part.recording.intervalMs,
      notificationRule(part.recording.intervalMs),
    ),
    rows: observed.flags.length,
  }));
  const sum = (of: (f: (typeof figures)[number]) => number): number => figures.reduce((s, f) => s + of(f), 0);
  const rows = sum((f) => f.rows);
  const days = sum((f) => f.events.days);
  const notifications = sum((f) => f.events.notifications);
  const falseOnes = sum((f) => f.events.falsePerDay * f.events.days);
  const injected = Object.fromEntries(
    options.faults.map((kind) => [kind, assessFaults(model, seen, deviations, kind, options.seed)]),
  );
  const base = {
    rows,
    days,
    alarmsPerDay: days > 0 ? notifications / days : 0,
    flaggedShare: rows > 0 ? sum((f) => f.events.flaggedShare * f.rows) / rows : 0,
    injected,
  };
  const known = (label: number): boolean => seen.some(({ labels }) => labels?.includes(label));
  // Labels that call nothing an anomaly still say that every alarm was a false one.
  const falseAlarmsPerDay = days > 0 && (known(0) || known(1)) ? falseOnes / days : null;
  if (!known(0) || !known(1)) return { ...base, ...UNLABELLED_FIGURES, falseAlarmsPerDay };
  const scores = new Float64Array(rows);
  const flags = new Uint8Array(rows);
  const labels = new Uint8Array(rows).fill(UNLABELLED);
  let at = 0;
  for (const { observed, labels: own } of seen) {
    scores.set(observed.scores, at);
    flags.set(observed.flags, at);
    if (own !== null) labels.set(own, at);
    at += observed.flags.length;
  }
  const ranking = rank(scores, labels);
  const segments = sum((f) => f.events.segments);
  const found = sum((f) => f.events.found);
  const recall = segments === 0 ? 0 : found / segments;
  const precision = notifications === 0 ? 0 : (notifications - falseOnes) / notifications;
  return {
    ...base,
    ...judgeRows(flags, labels),
    rocAuc: ranking?.rocAuc ?? null,
    averagePrecision: ranking?.averagePrecision ?? null,
    vusPr: options.vus
      ? volumeUnderPr(
          scores,
          labels.map((label) => (label === 1 ? 1 : 0)),
        )
      : null,
    contamination: ranking === null ? null : ranking.positives / (ranking.positives + ranking.negatives),
    falseAlarmsPerDay,
    events: {
      segments,
      found,
      recall,
      precision,
      f1: recall + precision === 0 ? 0 : (2 * recall * precision) / (recall + precision),
      delayMs: middle(figures.flatMap(({ events }) => (events.delayMs === null ? [] : [events.delayMs]))),
    },
  };
}

const UNLABELLED_FIGURES = {
  precision: null,
  recall: null,
  f1: null,
  rocAuc: null,
  averagePrecision: null,
  vusPr: null,
  contamination: null,
  falseAlarmsPerDay: null,
  events: null,
} as const;

/** One fault and whether the model told it: where a notification begins in it that was not there without it. */
export interface JudgedFault {
  readonly host: string;
  readonly caught: boolean;
}

/** Same rows, deviations, kind and seed: the same faults, whatever the model. */
export function judgeFaults(
  model: Model,
  seen: readonly Seen[],
  deviations: ArrayLike<number>,
  kind: FaultKind,
  seed: number,
): JudgedFault[] {
  return seen.flatMap(({ part, labels, observed }, i) => {
    const { recording, from } = part;
    const rule = notificationRule(recording.intervalMs);
    const judged = recording.columns.map((column) => column.subarray(from));
    const random = new Random(seed * 1000 + i * 10 + FAULT_KINDS.indexOf(kind));
    const injected = injectFaults(judged, deviations, kind, recording.intervalMs, random, labels);
    if (injected.faults.length === 0) return [];
    const columns = recording.columns.map((column, m) => {
      const whole = column.slice();
      whole.set(injected.columns[m] as Float64Array, from);
      return whole;
    });
    // One fault after the other would raise the guard against the next: it is left out.
    const { bare } = observe(calibratedFor(model, part.host), schemaFor(model, recording.names), {
      timesMs: recording.timesMs,
      columns,
      from,
    });
    const clean = new Set(notificationsOf(observed.bare, rule).map(({ first }) => first));
    const told = notificationsOf(bare, rule).filter(({ first }) => !clean.has(first));
    return injected.faults.map(({ first, last }) => ({
      host: part.host,
      caught: told.some((notification) => notification.first >= first && notification.first <= last),
    }));
  });
}

function assessFaults(
  model: Model,
  seen: readonly Seen[],
  deviations: ArrayLike<number>,
  kind: FaultKind,
  seed: number,
): InjectedFigures {
  const judged = judgeFaults(model, seen, deviations, kind, seed);
  const caught = judged.filter((fault) => fault.caught).length;
  return { faults: judged.length, caught, recall: judged.length === 0 ? 0 : caught / judged.length };
}
