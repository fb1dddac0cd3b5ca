import type { TelemetryDocument } from '../core/protocol/telemetry.ts';
import type { AgentDependencies } from './agent.ts';
import type { Telemetry } from './sinks/sink.ts';
import type { AgentState } from './status.ts';

export interface TelemetryPoint {
  readonly timeMs: number;
  readonly score: number | null;
  readonly surprise: number | null;
}

/** What goes out every five minutes, not with each batch. */
export type Seldom = Pick<Telemetry, 'drift' | 'performance'>;

export type TelemetryParts = Pick<
  AgentDependencies,
  'hostId' | 'bootId' | 'memory' | 'outward' | 'store' | 'figures'
> & {
  readonly points: readonly TelemetryPoint[];
  readonly counters: Readonly<Record<'samples' | 'gaps' | 'notStored' | 'incidents', number>>;
  readonly state: AgentState;
  readonly modelTrainedTo: number | null;
  readonly driftSeverity: number | null;
  readonly seldom: Seldom;
  readonly nowMs: number;
};

/** Scores since the last batch, and the agent's own figures. */
export function telemetryBatch(parts: TelemetryParts): Telemetry {
  const { hostId, bootId, outward, store, counters, points, seldom, nowMs } = parts;
  const memory = parts.memory();
  const health = {
    state: parts.state,
    samples: counters.samples,
    gaps: counters.gaps,
    notStored: counters.notStored,
    databaseBytes: store.bytes(),
    pending: outward.pending(),
    memoryBytes: memory.residentBytes,
    proportionalBytes: memory.proportionalBytes,
    dropped: outward.deliveries.reduce((sum, { sink }) => sum + store.outbox(sink.name).dropped, 0),
    connects: outward.deliveries.reduce((sum, { sink }) => sum + sink.status().connects, 0),
    incidents: counters.incidents,
    modelTrainedTo: parts.modelTrainedTo,
    driftSeverity: parts.driftSeverity,
    latencyMs: parts.figures.quantiles(),
  };
  const samples = points.map(({ timeMs, score, surprise }) => ({ t: timeMs, score, surprise }));
  const document: TelemetryDocument = { schemaVersion: 1, hostId, bootId, samples, health, ...seldom };
  return { timeMs: nowMs, payload: JSON.stringify(document), health, ...seldom };
}
