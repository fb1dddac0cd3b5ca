import type { FleetCause } from '../core/protocol/hub-alerts.ts';

/** Many hosts with one cause. Pure. */

export const LEAST_HOSTS = 5;
export const LEAST_SHARE = 0.2;
/** Below half of what opens a group it is over. */
const CLOSE = 0.5;

/** A host and what struck it. */
export interface Struck {
  readonly hostId: string;
  readonly site: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly cause: FleetCause;
  readonly atMs: number;
}

/** The hosts of a site, or those of a site with one label. */
export interface Group {
  readonly site: string;
  readonly label: { readonly name: string; readonly value: string } | null;
}

export interface Cluster {
  readonly group: Group;
  readonly cause: FleetCause;
  /** In the order in which they were struck. */
  readonly hosts: readonly Struck[];
  readonly groupSize: number;
}

export const causeKey = (cause: FleetCause): string =>
  cause.kind === 'silent' ? 'silent' : JSON.stringify([cause.trigger, cause.feature]);

export const groupKey = ({ site, label }: Group): string =>
  JSON.stringify(label === null ? [site] : [site, label.name, label.value]);

/** The groups that a host belongs to: its site first. */
export function groupsOf(host: {
  readonly site: string;
  readonly labels: Readonly<Record<string, string>>;
}): Group[] {
  const { site, labels } = host;
  const byLabel = Object.entries(labels).map(([name, value]): Group => ({ site, label: { name, value } }));
  return [{ site, label: null }, ...byLabel];
}

/** Hosts in each group, by `groupKey`. */
export function groupSizes(
  hosts: Iterable<{ readonly site: string; readonly labels: Readonly<Record<string, string>> }>,
): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const host of hosts) {
    for (const group of groupsOf(host)) {
      const key = groupKey(group);
      sizes.set(key, (sizes.get(key) ?? 0) + 1);
    }
  }
  return sizes;
}

/**
 * For each cause and site the group that holds most of those struck; of several, the one of which they are the largest
 * share: ten of twelve web servers say more than ten of fifty hosts. At least 5 hosts, and 20 % of the group. Struck
 * hosts that are left over may make another group.
 */
export function clusters(struck: readonly Struck[], sizes: ReadonlyMap<string, number>): Cluster[] {
  const found: Cluster[] = [];
  const byCause = Map.groupBy(struck, ({ site, cause }) => JSON.stringify([site, causeKey(cause)]));
  for (const same of byCause.values()) {
    let left = [...same].sort((a, b) => a.atMs - b.atMs || (a.hostId < b.hostId ? -1 : 1));
    for (let best = bestGroup(left, sizes); best !== null; best = bestGroup(left, sizes)) {
      found.push(best);
      const taken = new Set(best.hosts);
      left = left.filter((one) => !taken.has(one));
    }
  }
  return found;
}

function bestGroup(struck: readonly Struck[], sizes: ReadonlyMap<string, number>): Cluster | null {
  const members = new Map<string, { group: Group; hosts: Struck[] }>();
  for (const one of struck) {
    for (const group of groupsOf(one)) {
      const key = groupKey(group);
      const entry = members.get(key) ?? { group, hosts: [] };
      entry.hosts.push(one);
      members.set(key, entry);
    }
  }
  let best: Cluster | null = null;
  for (const [key, { group, hosts }] of members) {
    const groupSize = Math.max(hosts.length, sizes.get(key) ?? 0);
    if (hosts.length < LEAST_HOSTS || hosts.length < LEAST_SHARE * groupSize) continue;
    const [first] = hosts as [Struck, ...Struck[]];
    const better =
      best === null ||
      hosts.length > best.hosts.length ||
      (hosts.length === best.hosts.length && groupSize < best.groupSize);
    if (better) best = { group, cause: first.cause, hosts, groupSize };
  }
  return best;
}

/** Whether so few are left that the group is over. */
export const isOver = (count: number, groupSize: number): boolean =>
  count < CLOSE * LEAST_HOSTS || count < CLOSE * LEAST_SHARE * groupSize;
