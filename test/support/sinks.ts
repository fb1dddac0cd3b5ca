import type { StoredEvent } from '../../core/protocol/events.ts';
import type { AgentIdentity } from '../../core/protocol/status.ts';
import type { TelemetryHealth } from '../../core/protocol/telemetry.ts';

export const IDENTITY: AgentIdentity = {
  site: 'lab',
  hostId: 'host-1',
  bootId: 'boot-1',
  version: '0.0.0',
  schemaHash: 'abc',
};

export const HEALTH: TelemetryHealth = {
  state: 'watching',
  samples: 3,
  gaps: 0,
  notStored: 0,
  databaseBytes: 4096,
  pending: 1,
  memoryBytes: 70_000_000,
  proportionalBytes: 40_000_000,
  dropped: 0,
  connects: 1,
  incidents: 2,
  modelTrainedTo: 1_700_000_000_000,
  driftSeverity: null,
  latencyMs: {
    sample: { p50: 0.1, p95: 0.2, p99: 0.3 },
    score: { p50: 0.2, p95: 0.3, p99: 0.4 },
    store: { p50: 0.05, p95: 0.1, p99: 0.2 },
    delivery: { p50: null, p95: null, p99: null },
    loopLag: { p50: 1, p95: 2, p99: 3 },
  },
};

/** An event that is small and valid; severity null makes it an agent event. */
export function storedEvent(n: number, severity: StoredEvent['severity'] = null): StoredEvent {
  const sequence = { epoch: 'e1', n };
  return {
    sequence,
    id: `e1-${n}`,
    type: severity === null ? 'edgewood.model.activated' : 'edgewood.incident',
    severity,
    timeMs: 1_700_000_000_000 + n,
    subject: severity === null ? null : 'incident-1',
    data: JSON.stringify({ schemaVersion: 1, sequence, n }),
  };
}
