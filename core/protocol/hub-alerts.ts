import type { Sequence, Severity, TriggerName } from './events.ts';

/** What the hub itself alerts of, on `hub/alert/<severity>` of the site: CloudEvents as the agents' are. */
export const HUB_EVENT_TYPES = {
  /** Nothing has come from a host for too long; and: it is back. */
  hostSilent: 'edgewood.host.silent',
  /** Many hosts with one cause. */
  fleetIncident: 'edgewood.fleet.incident',
} as const;
export type HubEventType = (typeof HUB_EVENT_TYPES)[keyof typeof HUB_EVENT_TYPES];

export interface HostName {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** `data` of an `edgewood.host.silent` event. Its JSON Schema is `host-silent.schema.json`. */
export interface HostSilentData {
  readonly schemaVersion: 1;
  readonly sequence: Sequence;
  readonly state: 'opened' | 'resolved';
  readonly host: HostName;
  /** Nothing came after this. */
  readonly lastSeenAt: string;
  readonly silentMs: number;
  /** How long it may be silent: from how often it speaks. */
  readonly allowedMs: number;
  /** The broker lost the connection (the agent's last will); false: it is connected, or was, and says nothing. */
  readonly disconnected: boolean;
  readonly sentence: string;
}

/** What hosts have in common: a trigger and the metric that explains most, or their silence. */
export type FleetCause =
  | { readonly kind: 'silent' }
  | { readonly kind: 'incident'; readonly trigger: TriggerName | string; readonly feature: string };

/** `data` of an `edgewood.fleet.incident` event. Its JSON Schema is `fleet-incident.schema.json`. */
export interface FleetIncidentData {
  readonly schemaVersion: 1;
  readonly sequence: Sequence;
  readonly incidentId: string;
  readonly state: 'opened' | 'updated' | 'resolved';
  readonly site: string;
  /** The label that they share, where a label tells them better than the site. */
  readonly label: { readonly name: string; readonly value: string } | null;
  readonly cause: FleetCause;
  /** Hosts concerned now; when it opened, or when it was more than ever; and how many the group has. */
  readonly count: number;
  readonly peak: number;
  readonly groupSize: number;
  /** count / groupSize */
  readonly share: number;
  /** The first of them, in the order in which they were struck. */
  readonly hosts: readonly HostName[];
  readonly openedAt: string;
  readonly sentence: string;
}

/** As it is kept and published. `n` is the hub's own count, `epoch` its store's. */
export interface HubAlert {
  readonly sequence: Sequence;
  readonly type: HubEventType;
  readonly site: string;
  readonly severity: Severity;
  readonly timeMs: number;
  /** Host id, or the fleet incident's id. */
  readonly subject: string;
  readonly data: HostSilentData | FleetIncidentData;
}
