import type { DriftTelemetry } from './drift.ts';
import type { WeekOfVerdicts } from './verdict.ts';

/** A batch of scores and the agent's health, on the `telemetry` topic. Its JSON Schema is `telemetry.schema.json`. */
export interface TelemetryDocument {
  readonly schemaVersion: 1;
  readonly hostId: string;
  readonly bootId: string;
  readonly samples: readonly {
    /** Milliseconds since the epoch. */
    readonly t: number;
    /** null: no model yet, or a sample that could not be scored. */
    readonly score: number | null;
    readonly surprise: number | null;
  }[];
  readonly health: TelemetryHealth;
  /** Every five minutes, where the model has a reference. */
  readonly drift?: DriftTelemetry;
  /** Every five minutes. */
  readonly performance?: PerformanceTelemetry;
}

/** How well this host has been watched. */
export interface PerformanceTelemetry {
  /** Incidents that opened, over the last day. */
  readonly incidentsPerHour: number;
  /** Of the last seven days: alerts with an operator's word on them, and the share of true ones. */
  readonly verdicts: number;
  readonly precision: number | null;
  /** New models by retraining, in the last 30 days. */
  readonly retrainings: number;
  /** What operators said of the last four weeks, the one in progress first. */
  readonly weeks: readonly WeekOfVerdicts[];
}

/** The agent's own figures. */
export interface TelemetryHealth {
  readonly state: 'warming-up' | 'watching' | 'incident' | 'maintenance';
  readonly samples: number;
  readonly gaps: number;
  readonly notStored: number;
  readonly databaseBytes: number;
  readonly pending: number;
  /** Resident set size. */
  readonly memoryBytes: number;
  /** Proportional set size. */
  readonly proportionalBytes: number | null;
  /** Events dropped for want of room, over all sinks. */
  readonly dropped: number;
  /** Connections made, over all sinks. */
  readonly connects: number;
  /** Incidents that opened since the start. */
  readonly incidents: number;
  /** Milliseconds since 1970. */
  readonly modelTrainedTo: number | null;
  readonly driftSeverity: number | null;
  /** Of the last minutes, by stage. */
  readonly latencyMs: Readonly<
    Record<
      'sample' | 'score' | 'store' | 'delivery' | 'loopLag',
      { readonly p50: number | null; readonly p95: number | null; readonly p99: number | null }
    >
  >;
}
