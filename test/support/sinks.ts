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
