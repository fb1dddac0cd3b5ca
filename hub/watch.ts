import { randomUUID } from 'node:crypto';
import type { Severity } from '../core/protocol/events.ts';
import {
  type FleetCause,
  type FleetIncidentData,
  type HostName,
  type HostSilentData,
  HUB_EVENT_TYPES,
  type HubEventType,
} from '../core/protocol/hub-alerts.ts';
import { formatDuration } from '../core/words.ts';
import {
  type Cluster,
  causeKey,
  clusters,
  type Group,
  groupKey,
  groupSizes,
  groupsOf,
  isOver,
  LEAST_HOSTS,
  type Struck,
} from './grouping.ts';
import type { HostState } from './host.ts';
import { allowedMs, type Hearing, silentSinceMs } from './silence.ts';

/** Hosts struck within this time are struck together. */
const TOGETHER_MS = 5 * 60_000;
/** An alert of one silent host waits for so long: others may follow, and one alert speaks for all. */
const HELD_BACK_MS = 30_000;
const BACKLOG_MS = 10 * 60_000;
const HOSTS_NAMED = 10;

/** What the hub watches for, across restarts: kept in its store. */
export interface WatchState {
  /** By host key: since when it has been silent, and which alert said so. */
  readonly silent: Readonly<
    Record<
      string,
      {
        readonly sinceMs: number;
        readonly noticedMs: number;
        readonly told: boolean;
        /** `lastSeenMs` then: another is a sign of life, whichever way the clock went. */
        readonly seenMs?: number;
      }
    >
  >;
  readonly fleet: readonly FleetIncident[];
}

export interface FleetIncident {
  readonly id: string;
  readonly group: Group;
  readonly cause: FleetCause;
  readonly openedMs: number;
  /** Of silence: when the last of those that fell silent together did. One that does later is told of by itself. */
  readonly joinedMs?: number;
  readonly severity: Severity;
  readonly peak: number;
  /** At the last word about it. */
  readonly toldCount: number;
}

export const EMPTY_WATCH: WatchState = { silent: {}, fleet: [] };

/** An alert before it is numbered. */
export interface AlertDraft {
  readonly type: HubEventType;
  readonly site: string;
  readonly severity: Severity;
  readonly subject: string;
  readonly data: Omit<HostSilentData, 'sequence'> | Omit<FleetIncidentData, 'sequence'>;
}

export const hostKey = (site: string, hostId: string): string => `${site}/${hostId}`;

export interface Watched {
  readonly state: WatchState;
  readonly alerts: readonly AlertDraft[];
}

/** Looks over all hosts, every few seconds. */
export function watch(
  before: WatchState,
  hosts: ReadonlyMap<string, HostState>,
  hearing: Hearing,
  nowMs: number,
): Watched {
  const alerts: AlertDraft[] = [];
  const silent: Record<string, WatchState['silent'][string]> = {};
  for (const [key, host] of hosts) {
    const known = before.silent[key];
    const sinceMs = silentSinceMs(host, hearing, nowMs);
    // The hub's own break is no sign of life.
    const still =
      known !== undefined &&
      host.lastSeenMs === (known.seenMs ?? host.lastSeenMs) &&
      host.presence !== 'stopped';
    if (sinceMs === null && !still) {
      if (known?.told === true) alerts.push(silence('resolved', host, known.sinceMs, hearing, nowMs));
      continue;
    }
    const entry = known ?? {
      sinceMs: sinceMs as number,
      noticedMs: nowMs,
      told: false,
      seenMs: host.lastSeenMs,
    };
    silent[key] = entry.noticedMs > nowMs ? { ...entry, noticedMs: nowMs } : entry;
  }
  const fleet = watchGroups(before.fleet, hosts, silent, nowMs, alerts);
  tellSingles(silent, fleet, hosts, hearing, nowMs, alerts);
  return { state: { silent, fleet }, alerts };
}

/** Who is struck at this time, and by what. */
function struckNow(hosts: ReadonlyMap<string, HostState>, silent: WatchState['silent']): Struck[] {
  const struck: Struck[] = [];
  for (const [key, { hostId, site, labels, incident }] of hosts) {
    const since = silent[key];
    if (since !== undefined)
      struck.push({ hostId, site, labels, cause: { kind: 'silent' }, atMs: since.noticedMs });
    else if (incident !== null && incident.feature !== '') {
      const { trigger, feature, openedAtMs, heardMs } = incident;
      // By the hub's clock, which is one; what comes out of a backlog is long past.
      const atMs = heardMs - openedAtMs > BACKLOG_MS ? openedAtMs : heardMs;
      struck.push({
        hostId,
        site,
        labels,
        cause: { kind: 'incident', trigger, feature },
        atMs,
      });
    }
  }
  return struck;
}

const inGroup = (group: Group, host: Pick<HostState, 'site' | 'labels'>): boolean =>
  groupsOf(host).some((one) => groupKey(one) === groupKey(group));

/** Whether it is of those that fell silent together: whoever does long after may be something else. */
const speaksFor = (
  { group, openedMs, joinedMs = openedMs }: FleetIncident,
  host: Pick<HostState, 'site' | 'labels'>,
  noticedMs: number,
): boolean =>
  inGroup(group, host) && noticedMs >= openedMs - TOGETHER_MS && noticedMs <= joinedMs + TOGETHER_MS;

/** After the clock was set back. */
const notLater = (incident: FleetIncident, nowMs: number): FleetIncident => ({
  ...incident,
  openedMs: Math.min(incident.openedMs, nowMs),
  joinedMs: Math.min(incident.joinedMs ?? incident.openedMs, nowMs),
});

function watchGroups(
  before: readonly FleetIncident[],
  hosts: ReadonlyMap<string, HostState>,
  silent: WatchState['silent'],
  nowMs: number,
  alerts: AlertDraft[],
): FleetIncident[] {
  const struck = struckNow(hosts, silent);
  if (before.length === 0 && struck.length < LEAST_HOSTS) return [];
  const sizes = groupSizes(hosts.values());
  const names = new Map([...hosts.values()].map((host) => [hostKey(host.site, host.hostId), host]));
  const named = (of: readonly Struck[]): HostName[] =>
    of.slice(0, HOSTS_NAMED).map(({ site, hostId, labels }) => ({
      id: hostId,
      name: names.get(hostKey(site, hostId))?.name ?? hostId,
      labels,
    }));
  const standing: FleetIncident[] = [];
  const spokenFor = new Set<Struck>();
  for (const told of before) {
    const incident = notLater(told, nowMs);
    const isSilence = incident.cause.kind === 'silent';
    const members = struck.filter(
      (one) =>
        causeKey(one.cause) === causeKey(incident.cause) &&
        (isSilence ? speaksFor(incident, one, one.atMs) : inGroup(incident.group, one)),
    );
    const groupSize = Math.max(members.length, sizes.get(groupKey(incident.group)) ?? 0);
    // Who is left is told of one by one: of silence they are few.
    if (isOver(members.length, isSilence ? 0 : groupSize)) {
      alerts.push(word('resolved', { ...incident, toldCount: members.length }, named(members), groupSize));
      continue;
    }
    for (const member of members) spokenFor.add(member);
    // Told again when it has doubled: not at each host that follows.
    const grown = members.length >= 2 * incident.toldCount;
    const next: FleetIncident = {
      ...incident,
      peak: Math.max(incident.peak, members.length),
      toldCount: grown ? members.length : incident.toldCount,
      joinedMs: members.reduce((latest, { atMs }) => Math.max(latest, atMs), incident.joinedMs ?? 0),
    };
    if (grown) alerts.push(word('updated', next, named(members), groupSize));
    standing.push(next);
  }
  const fresh = struck.filter((one) => !spokenFor.has(one) && nowMs - one.atMs <= TOGETHER_MS);
  for (const cluster of clusters(fresh, sizes)) {
    const incident = opened(cluster, hosts, nowMs);
    alerts.push(word('opened', incident, named(cluster.hosts), cluster.groupSize));
    standing.push(incident);
  }
  return standing;
}

const RANK: Readonly<Record<string, number>> = { info: 0, warning: 1, critical: 2 };

function opened(
  { group, cause, hosts }: Cluster,
  all: ReadonlyMap<string, HostState>,
  nowMs: number,
): FleetIncident {
  const severities = hosts.map(
    ({ site, hostId }) => all.get(hostKey(site, hostId))?.incident?.severity ?? 'warning',
  );
  const highest = severities.reduce((a, b) => ((RANK[b] ?? 0) > (RANK[a] ?? 0) ? b : a), 'warning');
  const severity = cause.kind === 'silent' || highest === 'critical' ? 'critical' : 'warning';
  const count = hosts.length;
  return {
    id: randomUUID(),
    group,
    cause,
    openedMs: nowMs,
    joinedMs: nowMs,
    severity,
    peak: count,
    toldCount: count,
  };
}

function word(
  state: FleetIncidentData['state'],
  { id, group, cause, openedMs, severity, peak, toldCount: count }: FleetIncident,
  hosts: readonly HostName[],
  groupSize: number,
): AlertDraft {
  const where =
    group.label === null ? `of site ${group.site}` : `with ${group.label.name}=${group.label.value}`;
  const what =
    cause.kind === 'silent' ? 'are silent' : `have an incident by ${cause.feature} (${cause.trigger})`;
  const whole = groupSize === 0 ? 0 : count / groupSize;
  const percent = Math.round(whole * 100);
  const sentence =
    state === 'resolved'
      ? `Over: ${count} of ${groupSize} hosts ${where} still ${what}; at most ${peak} did.`
      : `${count} of ${groupSize} hosts ${where} (${percent} %) ${what}.`;
  return {
    type: HUB_EVENT_TYPES.fleetIncident,
    site: group.site,
    severity,
    subject: id,
    data: {
      schemaVersion: 1,
      incidentId: id,
      state,
      site: group.site,
      label: group.label,
      cause,
      count,
      peak,
      groupSize,
      share: whole,
      hosts,
      openedAt: new Date(openedMs).toISOString(),
      sentence,
    },
  };
}

/** Silent hosts that no fleet incident speaks for. */
function tellSingles(
  silent: Record<string, WatchState['silent'][string]>,
  fleet: readonly FleetIncident[],
  hosts: ReadonlyMap<string, HostState>,
  hearing: Hearing,
  nowMs: number,
  alerts: AlertDraft[],
): void {
  const heldBackMs = Math.min(HELD_BACK_MS, hearing.leastMs / 2);
  const together = fleet.filter(({ cause }) => cause.kind === 'silent');
  for (const [key, since] of Object.entries(silent)) {
    const host = hosts.get(key);
    if (since.told || host === undefined || nowMs - since.noticedMs < heldBackMs) continue;
    if (together.some((incident) => speaksFor(incident, host, since.noticedMs))) continue;
    silent[key] = { ...since, told: true };
    alerts.push(silence('opened', host, since.sinceMs, hearing, nowMs));
  }
}

function silence(
  state: HostSilentData['state'],
  host: HostState,
  sinceMs: number,
  hearing: Hearing,
  nowMs: number,
): AlertDraft {
  const silentMs = Math.max(0, nowMs - sinceMs);
  const sentence =
    state === 'resolved'
      ? `${host.name} is back after ${formatDuration(silentMs)}.`
      : `Nothing from ${host.name} for ${formatDuration(silentMs)}${host.presence === 'lost' ? ': the broker has lost it' : ''}.`;
  return {
    type: HUB_EVENT_TYPES.hostSilent,
    site: host.site,
    severity: 'warning',
    subject: host.hostId,
    data: {
      schemaVersion: 1,
      state,
      host: { id: host.hostId, name: host.name, labels: host.labels },
      lastSeenAt: new Date(sinceMs).toISOString(),
      silentMs,
      allowedMs: Math.round(allowedMs(host, hearing)),
      disconnected: host.presence === 'lost',
      sentence,
    },
  };
}
