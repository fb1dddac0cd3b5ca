import type { Source } from '../collector/source.ts';
import type { ReportedDocument } from '../core/protocol/reported.ts';
import type { PerformanceTelemetry } from '../core/protocol/telemetry.ts';
import type { Sample } from '../core/sample.ts';
import type { Watcher } from '../core/watcher.ts';
import type { LoadedModel } from '../models/slots.ts';
import type { AgentConfig } from './config/config.ts';
import type { Delivery } from './delivery.ts';
import type { DriftReport } from './drift.ts';
import { modelSummary } from './events.ts';
import type { Figures } from './figures.ts';
import type { Identity } from './identity.ts';
import type { NextFit } from './learner.ts';
import type { ActiveMaintenance } from './maintenance.ts';
import type { RetrainingDocument } from './retraining.ts';
import type { Store } from './store/store.ts';

export type AgentState = 'warming-up' | 'watching' | 'incident' | 'maintenance';

export interface StatusParts {
  readonly state: AgentState;
  readonly config: AgentConfig;
  readonly version: string;
  readonly hostId: string;
  readonly identity: Identity;
  readonly bootId: string;
  readonly nowMs: number;
  readonly startedMs: number;
  readonly source: Source;
  readonly store: Store;
  readonly deliveries: readonly Delivery[];
  readonly watcher: Watcher | null;
  readonly loaded: LoadedModel | null;
  readonly next: NextFit;
  readonly fitting: boolean;
  readonly drift: DriftReport | null;
  readonly performance: PerformanceTelemetry;
  /** null: none is configured. */
  readonly central: ReportedDocument | { readonly unavailable: true } | null;
  readonly retraining: AgentConfig['retraining'] & Pick<RetrainingDocument, 'history'>;
  readonly maintenance: readonly ActiveMaintenance[];
  readonly lastSample: Sample | null;
  readonly lastScore: number;
  readonly counters: Readonly<Record<string, number>>;
  readonly figures: Figures;
}

export type StatusReport = ReturnType<typeof statusReport>;

/** Everything that `edgewood status` shows. */
export function statusReport(parts: StatusParts) {
  const { state, config, version, hostId, bootId, source, store, deliveries, watcher, loaded, lastSample } =
    parts;
  return {
    state,
    version,
    host: { id: hostId, name: config.hostName, site: config.site, labels: config.labels },
    identity: { from: parts.identity.from, suspect: parts.identity.record.suspect === true },
    bootId,
    nowMs: parts.nowMs,
    startedMs: parts.startedMs,
    next: parts.next,
    fitting: parts.fitting,
    drift: parts.drift,
    performance: parts.performance,
    central: parts.central,
    retraining: parts.retraining,
    intervalMs: config.intervalMs,
    source: { kind: source.kind, description: source.describe(), faults: source.faults() },
    metrics: source.schema.map((metric, i) => ({
      name: metric.name,
      label: metric.label,
      unit: metric.unit,
      value: finiteOrNull(lastSample?.values[i] ?? Number.NaN),
    })),
    sampledAtMs: lastSample?.timeMs ?? null,
    score: finiteOrNull(parts.lastScore),
    triggers:
      watcher?.alarm.readings.map(({ name, value, thresholds }) => ({ name, value, thresholds })) ?? [],
    guard: watcher?.incident.guard ?? 0,
    model: loaded === null ? null : { slot: loaded.slot, ...modelSummary(loaded) },
    incident: watcher?.incident.standing ?? null,
    maintenance: parts.maintenance,
    budget: config.budget,
    counters: parts.counters,
    latencyMs: parts.figures.quantiles(),
    store: {
      epoch: store.epoch,
      epochReason: store.epochReason,
      bytes: store.bytes(),
      samples: store.sampleCount(),
    },
    sinks: deliveries.map(({ sink, delivered, poisoned, strayAcknowledgements }) => ({
      ...sink.status(),
      delivered,
      poisoned,
      strayAcknowledgements,
      outbox: store.outbox(sink.name),
    })),
  };
}

const finiteOrNull = (x: number): number | null => (Number.isFinite(x) ? x : null);
