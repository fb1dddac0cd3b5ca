import type { TombstoneData } from '../../agent/store/events-out.ts';
import type { NewEvent } from '../../agent/store/store.ts';
import {
  EVENT_TYPES,
  type EventType,
  type Sequence,
  type Severity,
  type StoredEvent,
} from '../../core/protocol/events.ts';

export function draft(
  type: EventType,
  severity: Severity | null = null,
  padBytes = 0,
  timeMs = 1_000,
): NewEvent {
  const data = (sequence: Sequence): string =>
    JSON.stringify({ schemaVersion: 1, sequence, pad: 'x'.repeat(padBytes) });
  return { type, severity, timeMs, subject: severity === null ? null : 'incident-1', data };
}
export const alert = (severity: Severity, padBytes = 0, timeMs = 1_000): NewEvent =>
  draft(EVENT_TYPES.incident, severity, padBytes, timeMs);
export const agentEvent = (padBytes = 0, timeMs = 1_000): NewEvent =>
  draft(EVENT_TYPES.started, null, padBytes, timeMs);

export function tombstonesOf(events: readonly StoredEvent[], sink: string): TombstoneData[] {
  return events
    .filter((event) => event.type === EVENT_TYPES.dropped)
    .map((event) => JSON.parse(event.data) as TombstoneData)
    .filter((data) => data.sink === sink);
}
