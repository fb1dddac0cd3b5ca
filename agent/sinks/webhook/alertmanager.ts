import { type AlertData, SEVERITIES } from '../../../core/protocol/events.ts';

/** https://github.com/prometheus/alertmanager, API v2: what POST /api/v2/alerts takes. */
export interface AlertmanagerAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
}

/**
 * An incident's end is delivered for certain, but an agent may be gone for good: then its alerts end by themselves
 * after this long.
 */
const LONGEST_UNTOLD_MS = 24 * 3_600_000;

/** Prometheus names: [a-zA-Z_][a-zA-Z0-9_]*. */
const labelName = (name: string): string => name.replaceAll(/[^a-zA-Z0-9_]/g, '_').replace(/^(?=\d)/, '_');

/**
 * An incident as alerts. Labels are an alert's identity there, and severity is one that routes are made on: when an
 * incident rises, the alert of the lower severity ends where that of the higher begins.
 */
export function alertmanagerAlerts(data: AlertData, site: string): AlertmanagerAlert[] {
  const over = data.state === 'resolved' || data.state === 'invalidated';
  const until = Date.parse(data.sampledAt) + LONGEST_UNTOLD_MS;
  const labels = Object.fromEntries(Object.entries(data.host.labels).map(([k, v]) => [labelName(k), v]));
  const upTo = SEVERITIES.indexOf(data.severity);
  return SEVERITIES.slice(0, upTo + 1).map((severity, i) => ({
    labels: {
      ...labels,
      alertname: 'EdgewoodIncident',
      instance: data.host.name,
      host_id: data.host.id,
      site,
      incident: data.incidentId,
      severity,
    },
    annotations: {
      summary: data.explanation.sentence,
      state: data.state,
      trigger: data.trigger,
      provisional: String(data.provisional),
    },
    startsAt: data.openedAt,
    endsAt: over || i < upTo ? (data.resolvedAt ?? data.sampledAt) : new Date(until).toISOString(),
  }));
}
