import type { InstallState } from '../../core/protocol/install-states.ts';
import type { ReportedDocument } from '../../core/protocol/reported.ts';
import { cohortPosition, isSelected } from './desired.ts';
import {
  type Failure,
  hostKey,
  type KnownHost,
  type Progress,
  type RateSide,
  type RolloutPlan,
} from './plan.ts';

export interface FailedHost extends Failure {
  readonly host: string;
}

export interface StageFigures {
  readonly known: number;
  /** Known, but not whether they are selected: they have never said what their labels are. */
  readonly undetermined: number;
  readonly selected: number;
  readonly cohort: number;
  readonly committed: number;
  readonly failed: readonly FailedHost[];
  /** Committed and failed. */
  readonly executed: number;
  /** All others of the cohort: by why. Never successes. */
  readonly pending: {
    readonly all: number;
    /** Never reported anything. */
    readonly unseen: number;
    /** Not online by its status; or it has none. */
    readonly offline: number;
    /** Online, without a root: takes no central model. */
    readonly unable: number;
    /** Online, under way. */
    readonly working: number;
    /** Of these: not yet heard of this stage. */
    readonly behind: number;
  };
  /** Hosts of the cohort by what they say of this release. */
  readonly states: Readonly<Partial<Record<InstallState, number>>>;
  /** Whether enough of those that could have committed. */
  readonly reached: boolean;
  readonly alarms: { readonly cohort: RateSide; readonly control: RateSide };
}

export interface Collected {
  readonly figures: StageFigures;
  readonly failures: Progress['failures'];
  /** Of the cohort, about this release, heard of this stage. */
  readonly reports: readonly ReportedDocument[];
}

const FAILED: ReadonlySet<string> = new Set(['rejected', 'rolled_back', 'timed_out']);
const HOUR_MS = 3_600_000;

const isFailed = (state: InstallState): state is Failure['state'] => FAILED.has(state);

/** null: it never said what its labels are. */
export function selected({ select }: RolloutPlan, host: KnownHost): boolean | null {
  if (!isSelected({ ...select, labels: {} }, { ...host, labels: {} })) return false;
  if (Object.keys(select.labels).length === 0) return true;
  return host.reported === null ? null : isSelected(select, { ...host, labels: host.reported.labels });
}

/** Could install something now. */
export const isAble = ({ online, reported }: KnownHost): boolean =>
  online === true && reported !== null && reported.root !== null;

export const inCohort = (seed: string, fraction: number, hostId: string): boolean =>
  fraction >= 1 || cohortPosition(seed, hostId) < fraction;

export function collect(
  plan: RolloutPlan,
  progress: Progress,
  hosts: readonly KnownHost[],
  nowMs: number,
): Collected {
  const meant = hosts.map((host) => ({ host, is: selected(plan, host) }));
  const chosen = meant.filter(({ is }) => is === true).map(({ host }) => host);
  const isIn = ({ hostId }: KnownHost): boolean => inCohort(plan.seed, progress.fraction, hostId);
  const failures: Record<string, Failure> = {};
  const states: Partial<Record<InstallState, number>> = {};
  const pending = { all: 0, unseen: 0, offline: 0, unable: 0, working: 0, behind: 0 };
  const reports: ReportedDocument[] = [];
  const committedHosts: KnownHost[] = [];
  let [cohort, expected] = [0, 0];
  for (const host of chosen) {
    const key = hostKey(host);
    const said = about(plan, progress, host.reported);
    const kept = Object.hasOwn(progress.failures, key) ? progress.failures[key] : undefined;
    if (!isIn(host)) continue;
    cohort++;
    const isCurrent = said !== null && (said.rollout?.version ?? 0) >= progress.stageVersion;
    if (said !== null) states[said.state] = (states[said.state] ?? 0) + 1;
    if (said !== null && isCurrent) reports.push(said);
    if (said !== null && isFailed(said.state)) {
      const { code, message } = said.error ?? { code: 'unknown', message: '' };
      failures[key] = { state: said.state, code, message };
    } else if (said !== null && isCurrent && hasExecuted(progress, said)) {
      committedHosts.push(host);
    } else if (kept !== undefined) {
      failures[key] = kept;
    } else {
      pending.all++;
      pending[pendingKind(host)]++;
      if (isAble(host)) expected++;
      if (isAble(host) && !isCurrent) pending.behind++;
    }
  }
  // A host that is gone from all that is known has failed all the same.
  const keys = new Set(hosts.map(hostKey));
  for (const [key, failure] of Object.entries(progress.failures)) {
    if (!keys.has(key)) failures[key] = failure;
  }
  const failed = Object.entries(failures)
    .map(([host, failure]) => ({ host, ...failure }))
    .sort((a, b) => (a.host < b.host ? -1 : 1));
  const committed = committedHosts.length;
  return {
    figures: {
      known: hosts.length,
      undetermined: meant.filter(({ is }) => is === null).length,
      selected: chosen.length,
      cohort,
      committed,
      failed,
      executed: committed + failed.length,
      pending,
      states,
      reached: committed > 0 && committed >= plan.limits.committedShare * (committed + expected),
      alarms: {
        cohort: rate(committedHosts, progress, nowMs),
        control: rate(
          chosen.filter((host) => !isIn(host)),
          progress,
          nowMs,
        ),
      },
    },
    failures,
    reports,
  };
}

function pendingKind(host: KnownHost): 'unseen' | 'offline' | 'unable' | 'working' {
  if (host.reported === null) return 'unseen';
  if (host.online !== true) return 'offline';
  return isAble(host) ? 'working' : 'unable';
}

/** What a host says of this release, since this rollout began; null: nothing. */
function about(
  plan: RolloutPlan,
  { firstVersion }: Progress,
  said: ReportedDocument | null,
): ReportedDocument | null {
  if (said === null || said.rollout === null || said.rollout.model !== plan.model) return null;
  if (said.rollout.version < firstVersion) return null;
  const release = said.release ?? said.desired;
  return release?.artifactSha256 === plan.release.artifactSha256 ? said : null;
}

/** Applied: committed. In shadow: it has scored rows beside the other model, of history first, then live. */
const hasExecuted = ({ mode }: Progress, { state, figures }: ReportedDocument): boolean =>
  mode === 'apply' ? state === 'committed' : state === 'shadow' && figures !== null && figures.rows > 0;

/**
 * Of hosts that have heard of this stage, since each took the document it counts from. A host reports what changes: of
 * one that is online and silent, nothing has changed until now.
 */
function rate(hosts: readonly KnownHost[], { stageVersion, startedMs }: Progress, nowMs: number): RateSide {
  const counted = hosts.flatMap(({ online, reported }) => {
    if (reported === null || reported.alarms === null) return [];
    if ((reported.rollout?.version ?? 0) < stageVersion) return [];
    // A host's clock may be anywhere.
    const fromMs = Math.max(startedMs, Date.parse(reported.alarms.since));
    const untilMs = online === true ? nowMs : Math.min(nowMs, Date.parse(reported.at));
    const hours = (untilMs - fromMs) / HOUR_MS;
    return hours > 0 ? [{ alarms: reported.alarms.opened, hours }] : [];
  });
  const loudest = counted.reduce((top, one, i) => (one.alarms > (counted[top]?.alarms ?? -1) ? i : top), 0);
  // Of one or two, none can be left out.
  const kept = counted.length > 2 ? counted.filter((_, i) => i !== loudest) : counted;
  return {
    hosts: kept.length,
    alarms: kept.reduce((sum, { alarms }) => sum + alarms, 0),
    hours: kept.reduce((sum, { hours }) => sum + hours, 0),
  };
}
