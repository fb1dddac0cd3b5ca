/** The events an agent publishes: CloudEvents 1.0, structured JSON (https://github.com/cloudevents/spec). */

export type Severity = 'info' | 'warning' | 'critical';
export const SEVERITIES: readonly Severity[] = ['info', 'warning', 'critical'];

/** A sequence number: per host, over events only. A new epoch begins when the store was lost or restored. */
export interface Sequence {
  readonly epoch: string;
  readonly n: number;
}

export type IncidentState = 'opened' | 'updated' | 'resolved' | 'invalidated';
export type TriggerName = 'surprise' | 'forest' | 'score' | 'constant' | 'range' | 'stuck';

/** Event types. What has a severity is an alert; the rest goes to the event topic. */
export const EVENT_TYPES = {
  incident: 'edgewood.incident',
  started: 'edgewood.agent.started',
  stopped: 'edgewood.agent.stopped',
  modelActivated: 'edgewood.model.activated',
  dropped: 'edgewood.events.dropped',
  /** The store had to be begun anew: an alert, of severity warning. */
  storeReplaced: 'edgewood.store.replaced',
  /** The host has another name, or this is a copy of another host: the latter is an alert, of severity warning. */
  identityChanged: 'edgewood.identity.changed',
  /** A time without alerts begins or ends: by schedule, or because somebody asked for it. */
  maintenance: 'edgewood.maintenance',
  drift: 'edgewood.drift',
  /** A model is asked for, fitted, replaced, or taken back: every decision. */
  retraining: 'edgewood.retraining',
  /** A model from the centre is in, was refused, or was taken back. */
  release: 'edgewood.release',
  /** An operator's word on an alert. */
  verdict: 'edgewood.verdict',
} as const;
export type EventType = (typeof EVENT_TYPES)[keyof typeof EVENT_TYPES];

export interface FeatureReport {
  readonly name: string;
  readonly unit: string;
  /** null: missing in this sample. */
  readonly value: number | null;
  readonly expectedMedian: number | null;
  /** 5th and 95th percentile of the training time. */
  readonly expectedLow: number | null;
  readonly expectedHigh: number | null;
  /** (value - median) / (1.4826 MAD), with the floor of the model. */
  readonly robustDeviation: number | null;
  readonly direction: 'high' | 'low' | 'normal' | 'missing';
  /** Share of what the detector explains above its base value (Shapley value, exact): docs/PROTOCOL.md. */
  readonly contribution: number;
  /** The detector's inputs for this metric: whoever has the model gets the same score from them, bit for bit. */
  readonly inputs: readonly (number | null)[];
}

export interface Explanation {
  /** How `top` adds up to `explained`: which additive method, over which quantity. */
  readonly method: string;
  readonly baseValue: number;
  readonly explained: number;
  readonly top: readonly {
    readonly feature: string;
    readonly contribution: number;
    readonly share: number;
  }[];
  /** Plain words: "CPU 97 % (usually 8-31 %) explains 71 % of this". */
  readonly sentence: string;
}

export interface ProcessUse {
  readonly pid: number;
  readonly name: string;
  /** Of all CPUs, as the metric `cpu`; null where it could not be told. */
  readonly cpuPercent: number | null;
  /** Resident. */
  readonly memoryBytes: number;
}

/** `data` of an incident event. Its JSON Schema is `alert.schema.json`. */
export interface AlertData {
  readonly schemaVersion: 1;
  readonly incidentId: string;
  readonly sequence: Sequence;
  readonly host: {
    readonly id: string;
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly agentVersion: string;
  readonly state: IncidentState;
  readonly openedAt: string;
  readonly resolvedAt: string | null;
  readonly durationMs: number;
  readonly sampleCount: number;
  readonly suppressedCount: number;
  readonly provisional: boolean;
  readonly sampledAt: string;
  readonly publishedAt: string | null;
  readonly replayed: boolean;
  /** Score of the detector for this sample, and its percentile (0-100) in training. */
  readonly score: number | null;
  readonly percentile: number | null;
  /** The quantity that the trigger compares with its threshold, at this sample. */
  readonly triggerValue: number;
  readonly threshold: number;
  readonly clearThreshold: number;
  readonly thresholds: { readonly info: number; readonly warning: number; readonly critical: number };
  readonly severity: Severity;
  readonly trigger: TriggerName;
  readonly budget: {
    readonly infoPerDay: number;
    readonly warningPerDay: number;
    readonly criticalPerDay: number;
  };
  readonly features: readonly FeatureReport[];
  readonly explanation: Explanation;
  /** Those that were heaviest when the incident opened. */
  readonly processes: {
    readonly byCpu: readonly ProcessUse[];
    readonly byMemory: readonly ProcessUse[];
  } | null;
  readonly context: {
    readonly lastScores: readonly (number | null)[];
    readonly driftSeverity: number | null;
    readonly warmingUp: boolean;
    readonly maintenance: boolean;
  };
  readonly model: {
    readonly name: string;
    readonly version: string;
    readonly sha256: string;
    readonly alias: string | null;
    readonly trainedFrom: string;
    readonly trainedTo: string;
  };
}

/** What the store keeps and sinks deliver: an event before it is wrapped as a CloudEvent. */
export interface StoredEvent {
  readonly sequence: Sequence;
  /** `<epoch>-<n>`: stable over every redelivery. */
  readonly id: string;
  readonly type: EventType;
  /** Alerts only; decides the topic. */
  readonly severity: Severity | null;
  readonly timeMs: number;
  /** Incident id for alerts. */
  readonly subject: string | null;
  /** JSON of `data`. */
  readonly data: string;
}
