import { createHash } from 'node:crypto';
import type { ReleaseReference, RolloutDocument, Selector } from '../../core/protocol/trust.ts';

export interface HostFacts {
  readonly site: string;
  readonly hostId: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Where a host stands in the order in which a rollout reaches the fleet: 0 to below 1, the same on every machine. */
export function cohortPosition(seed: string, hostId: string): number {
  const digest = createHash('sha256').update(`${seed}\0${hostId}`).digest();
  return digest.readUIntBE(0, 6) / 2 ** 48;
}

export function isSelected({ sites, labels, ids }: Selector, host: HostFacts): boolean {
  if (sites !== null && !sites.includes(host.site)) return false;
  if (ids !== null && !ids.includes(host.hostId)) return false;
  return Object.entries(labels).every(
    ([name, value]) => Object.hasOwn(host.labels, name) && host.labels[name] === value,
  );
}

/**
 * What a rollout asks of a host.
 * - `none`: it isn't meant; it goes on with what it runs.
 * - `release`: the release, as soon as it has passed its checks; `trial`: only beside the model that watches.
 * - `baseline`: the release before, or (null) what the host learned itself.
 */
export type Desired =
  | { readonly kind: 'none' }
  | { readonly kind: 'release' | 'trial'; readonly release: ReleaseReference }
  | { readonly kind: 'baseline'; readonly release: ReleaseReference | null };

export function desiredOf(rollout: RolloutDocument, host: HostFacts): Desired {
  if (!isSelected(rollout.select, host)) return { kind: 'none' };
  const { seed, fraction } = rollout.cohort;
  const inCohort = fraction >= 1 || cohortPosition(seed, host.hostId) < fraction;
  if (rollout.state === 'aborted' || !inCohort) return { kind: 'baseline', release: rollout.baseline };
  return { kind: rollout.mode === 'shadow' ? 'trial' : 'release', release: rollout.release };
}
