import { gapsOf, type HostState, isCloned } from './host.ts';
import type { KnownHost } from './store/reader.ts';
import { hostKey, type WatchState } from './watch.ts';

/** A host in a list: what the hub knows, in the order in which it matters. */
export interface FleetHost {
  readonly site: string;
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly presence: 'online' | 'silent' | 'lost' | 'stopped';
  readonly activity: string | null;
  readonly lastSeenAt: string;
  readonly agentVersion: string | null;
  readonly model: HostState['model'];
  readonly incident: {
    readonly id: string;
    readonly severity: string;
    readonly trigger: string;
    readonly feature: string;
    readonly openedAt: string;
  } | null;
  /** State and release of the rollout, as the agent reported; null: it has reported nothing. */
  readonly rollout: {
    readonly state: string;
    readonly release: number | null;
    readonly error: string | null;
  } | null;
  /** Events that never came and that no tombstone names. */
  readonly missing: { readonly count: number; readonly since: string } | null;
  readonly cloned: boolean;
}

export interface FleetTotals {
  readonly hosts: number;
  readonly online: number;
  readonly silent: number;
  readonly lost: number;
  readonly stopped: number;
  readonly inIncident: number;
  readonly withGaps: number;
  readonly cloned: number;
  readonly byVersion: Readonly<Record<string, number>>;
  readonly byModel: Readonly<Record<string, number>>;
  readonly byRollout: Readonly<Record<string, number>>;
}

const iso = (ms: number): string => new Date(ms).toISOString();

export function fleetHost({ host, reported }: KnownHost, watch: WatchState, nowMs: number): FleetHost {
  const gaps = gapsOf(host);
  const silent = watch.silent[hostKey(host.site, host.hostId)] !== undefined;
  const { incident } = host;
  return {
    site: host.site,
    id: host.hostId,
    name: host.name,
    labels: host.labels,
    presence: silent ? 'silent' : host.presence,
    activity: host.activity,
    lastSeenAt: iso(host.lastSeenMs),
    agentVersion: host.agentVersion,
    model: modelOf(host, reported),
    incident:
      incident === null
        ? null
        : {
            id: incident.id,
            severity: incident.severity,
            trigger: incident.trigger,
            feature: incident.feature,
            openedAt: iso(incident.openedAtMs),
          },
    rollout: rolloutOf(reported),
    missing:
      gaps.length === 0
        ? null
        : {
            count: gaps.reduce((sum, gap) => sum + gap.count, 0),
            since: iso(Math.min(...gaps.map(({ sinceMs }) => sinceMs))),
          },
    cloned: isCloned(host, nowMs),
  };
}

/** No event tells that a host has gone back to having none; what it reports does. */
function modelOf(host: KnownHost['host'], reported: KnownHost['reported']): FleetHost['model'] {
  return reported !== null && reported['running'] === null ? null : host.model;
}

/** Of another's making: taken for what it is. */
function rolloutOf(reported: KnownHost['reported']): FleetHost['rollout'] {
  if (reported === null) return null;
  const { state, release, error } = reported as {
    readonly state?: unknown;
    readonly release?: { readonly version?: unknown } | null;
    readonly error?: { readonly code?: unknown } | null;
  };
  return {
    state: typeof state === 'string' ? state.slice(0, 32) : '?',
    release: typeof release?.version === 'number' ? release.version : null,
    error: typeof error?.code === 'string' ? error.code.slice(0, 64) : null,
  };
}

export function fleetTotals(hosts: readonly FleetHost[]): FleetTotals {
  const count = (holds: (host: FleetHost) => boolean): number => hosts.filter(holds).length;
  const by = (key: (host: FleetHost) => string): Record<string, number> => {
    const counts = new Map<string, number>();
    for (const host of hosts) counts.set(key(host), (counts.get(key(host)) ?? 0) + 1);
    return Object.fromEntries([...counts].sort((a, b) => b[1] - a[1]));
  };
  return {
    hosts: hosts.length,
    online: count(({ presence }) => presence === 'online'),
    silent: count(({ presence }) => presence === 'silent'),
    lost: count(({ presence }) => presence === 'lost'),
    stopped: count(({ presence }) => presence === 'stopped'),
    inIncident: count(({ incident }) => incident !== null),
    withGaps: count(({ missing }) => missing !== null),
    cloned: count(({ cloned }) => cloned),
    byVersion: by(({ agentVersion }) => agentVersion ?? 'unknown'),
    byModel: by(({ model }) => (model === null ? 'none' : `${model.name} ${model.version}`)),
    byRollout: by(({ rollout }) =>
      rollout === null
        ? 'nothing reported'
        : `${rollout.state}${rollout.release === null ? '' : ` ${rollout.release}`}`,
    ),
  };
}

/** Who needs to be looked at. */
export const isNoteworthy = ({ presence, incident, missing, cloned, rollout }: FleetHost): boolean =>
  presence === 'silent' ||
  presence === 'lost' ||
  incident !== null ||
  missing !== null ||
  cloned ||
  (rollout?.error ?? null) !== null;
