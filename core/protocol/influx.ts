import type { MetricSchema } from '../sample.ts';
import type { DriftTelemetry } from './drift.ts';
import { type AlertData, EVENT_TYPES, type StoredEvent } from './events.ts';
import { type Field, line, lineTags } from './line-protocol.ts';
import type { PerformanceTelemetry, TelemetryHealth } from './telemetry.ts';
import type { WeekOfVerdicts } from './verdict.ts';

/** What InfluxDB gets: measurements, tags and fields, defined once (docs/PROTOCOL.md has the table). */
export const MEASUREMENTS = {
  sample: 'edgewood_sample',
  incident: 'edgewood_incident',
  event: 'edgewood_event',
  agent: 'edgewood_agent',
  drift: 'edgewood_drift',
  performance: 'edgewood_performance',
  week: 'edgewood_week',
} as const;

export interface InfluxHost {
  readonly site: string;
  readonly hostId: string;
  readonly hostName: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Labels can't take the place of what names the host. */
export const hostTags = ({ site, hostId, hostName, labels }: InfluxHost): Record<string, string> => ({
  ...labels,
  site,
  host_id: hostId,
  host: hostName,
});

export interface SamplePoint {
  readonly timeMs: number;
  /** In schema order, NaN where missing. */
  readonly values: ArrayLike<number>;
  readonly score: number;
  readonly inIncident: boolean;
  /** Samples that it is the mean of; 1: it is a sample. */
  readonly samples: number;
}

export function sampleLine(schema: MetricSchema, tags: string, point: SamplePoint): string | null {
  const fields: Record<string, Field | null> = {};
  schema.forEach(({ name }, i) => {
    fields[name] = point.values[i] as number;
  });
  fields['score'] = point.score;
  fields['in_incident'] = point.inIncident;
  if (point.samples > 1) fields['samples'] = { integer: point.samples };
  return line(MEASUREMENTS.sample, tags, fields, point.timeMs);
}

const NANOSECONDS_PER_MS = 1_000_000;

/** @throws SyntaxError for an event whose data is damaged */
export function eventLine(host: Readonly<Record<string, string>>, event: StoredEvent): string {
  const sequence: Record<string, Field> = {
    sequence_epoch: event.sequence.epoch,
    sequence: { integer: event.sequence.n },
  };
  // Partial: what an older agent stored may lack what is newer.
  const data = JSON.parse(event.data) as Partial<AlertData>;
  const nanoseconds = event.sequence.n % NANOSECONDS_PER_MS;
  if (event.type !== EVENT_TYPES.incident) {
    const tags = lineTags({ ...host, type: event.type });
    return line(
      MEASUREMENTS.event,
      tags,
      { ...sequence, data: event.data },
      event.timeMs,
      nanoseconds,
    ) as string;
  }
  const { severity = '', state = '', trigger = '' } = data;
  const tags = lineTags({ ...host, severity, state, trigger });
  const integer = (n: number | undefined): Field | null => (n === undefined ? null : { integer: n });
  const fields = {
    incident_id: data.incidentId ?? null,
    score: data.score ?? null,
    trigger_value: data.triggerValue ?? null,
    threshold: data.threshold ?? null,
    duration_ms: integer(data.durationMs),
    sample_count: integer(data.sampleCount),
    sentence: data.explanation?.sentence ?? null,
    ...sequence,
  };
  return line(MEASUREMENTS.incident, tags, fields, event.timeMs, nanoseconds) as string;
}

export function agentLine(tags: string, timeMs: number, health: TelemetryHealth): string {
  const fields: Record<string, Field | null> = {
    state: health.state,
    samples: { integer: health.samples },
    gaps: { integer: health.gaps },
    not_stored: { integer: health.notStored },
    database_bytes: { integer: health.databaseBytes },
    pending: { integer: health.pending },
    memory_bytes: { integer: health.memoryBytes },
    memory_pss_bytes: health.proportionalBytes === null ? null : { integer: health.proportionalBytes },
    dropped: { integer: health.dropped },
    connects: { integer: health.connects },
    incidents: { integer: health.incidents },
    model_age_seconds: health.modelTrainedTo === null ? null : (timeMs - health.modelTrainedTo) / 1000,
    drift_severity: health.driftSeverity,
  };
  for (const [stage, quantiles] of Object.entries(health.latencyMs)) {
    const name = stage === 'loopLag' ? 'loop_lag' : stage;
    for (const [quantile, ms] of Object.entries(quantiles)) fields[`${name}_ms_${quantile}`] = ms;
  }
  return line(MEASUREMENTS.agent, tags, fields, timeMs) as string;
}

/** One line a metric, and one for the score. @param host from `hostTags` */
export function driftLines(
  host: Readonly<Record<string, string>>,
  timeMs: number,
  { severity, streams }: DriftTelemetry,
): string[] {
  return streams.flatMap(({ name, d, threshold, over }) => {
    const fields = { distance: d, threshold, over, severity };
    return line(MEASUREMENTS.drift, lineTags({ ...host, metric: name }), fields, timeMs) ?? [];
  });
}

export function performanceLine(tags: string, timeMs: number, it: PerformanceTelemetry): string {
  const fields = {
    incidents_per_hour: it.incidentsPerHour,
    verdicts: { integer: it.verdicts },
    precision: it.precision,
    retrainings: { integer: it.retrainings },
  };
  return line(MEASUREMENTS.performance, tags, fields, timeMs) as string;
}

/** One point a week, at its Monday 00:00 UTC: what is said later overwrites it. */
export function weekLine(tags: string, week: WeekOfVerdicts): string {
  const fields = {
    judged: { integer: week.judged },
    true_alerts: { integer: week.trueAlerts },
    false_alerts: { integer: week.falseAlerts },
    benign_alerts: { integer: week.benignAlerts },
    missed: { integer: week.missed },
    precision: week.precision,
    recall: week.recall,
    f1: week.f1,
  };
  return line(MEASUREMENTS.week, tags, fields, week.fromMs) as string;
}
