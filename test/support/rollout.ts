import type { InstallState } from '../../core/protocol/install-states.ts';
import type { ReportedDocument } from '../../core/protocol/reported.ts';
import type { KnownHost, RolloutPlan } from '../../models/rollout/plan.ts';
import { DEFAULT_GATE, DEFAULT_LIMITS } from '../../models/rollout/plan.ts';

export const HOUR_MS = 3_600_000;
export const T0 = Date.UTC(2026, 0, 5);
const ARTIFACT = 'ab'.repeat(32);

export const testPlan = (changes: Partial<RolloutPlan> = {}): RolloutPlan => ({
  schemaVersion: 1,
  fleet: 'test',
  model: 'web',
  release: { version: 2, sha256: 'cd'.repeat(32), artifactSha256: ARTIFACT },
  baseline: null,
  select: { sites: null, labels: {}, ids: null },
  seed: 'seed',
  mode: 'apply',
  shadowSoakMs: HOUR_MS,
  stages: [
    { share: 0.01, soakMs: HOUR_MS },
    { share: 0.1, soakMs: HOUR_MS },
    { share: 0.5, soakMs: HOUR_MS },
    { share: 1, soakMs: HOUR_MS },
  ],
  jitterMs: 0,
  validMs: 7 * 24 * HOUR_MS,
  gate: DEFAULT_GATE,
  limits: DEFAULT_LIMITS,
  ...changes,
});

/** What a host says; `null` for `state`: nothing at all. */
export function testHost(
  hostId: string,
  state: InstallState | null,
  version: number,
  changes: Partial<ReportedDocument> & { readonly online?: boolean | null } = {},
): KnownHost {
  const { online = true, ...rest } = changes;
  if (state === null) return { site: 'lab', hostId, online, reported: null };
  const release = { version: 2, artifactSha256: ARTIFACT };
  const reported: ReportedDocument = {
    schemaVersion: 1,
    hostId,
    site: 'lab',
    bootId: 'boot',
    at: new Date(T0 + HOUR_MS).toISOString(),
    agentVersion: '0.1.0',
    labels: {},
    root: 1,
    rollout: version === 0 ? null : { model: 'web', version, sha256: 'ef'.repeat(32) },
    desired: release,
    state,
    release,
    running: null,
    slots: { current: null, previous: null, central: null, centralPrevious: null },
    figures: null,
    alarms: null,
    error: ['rejected', 'rolled_back', 'timed_out'].includes(state)
      ? { code: 'flat', message: 'it is flat' }
      : null,
    refused: {},
    ...rest,
  };
  return { site: 'lab', hostId, online, reported };
}

export const alarms = (opened: number, hours = 1): Partial<ReportedDocument> => ({
  at: new Date(T0 + hours * HOUR_MS).toISOString(),
  alarms: { since: new Date(T0).toISOString(), opened },
});

/** All hosts do the same. */
export const many = (count: number, of: (hostId: string, i: number) => KnownHost): KnownHost[] =>
  Array.from({ length: count }, (_, i) => of(`h${i}`, i));
