import type { ReportedDocument } from '../../core/protocol/reported.ts';
import type {
  ReleaseReference,
  RolloutGate,
  RolloutMode,
  RolloutState,
  Selector,
} from '../../core/protocol/trust.ts';
import { cohortPosition } from './desired.ts';

/** What is decided once, when a rollout starts. JSON. */
export interface RolloutPlan {
  readonly schemaVersion: 1;
  readonly fleet: string;
  readonly model: string;
  readonly release: ReleaseReference;
  /** What an abort goes back to; null: what each host learned itself. */
  readonly baseline: ReleaseReference | null;
  readonly select: Selector;
  readonly seed: string;
  /** `shadow`: tried on every selected host first, then applied in stages where the gate holds. */
  readonly mode: RolloutMode;
  readonly shadowSoakMs: number;
  readonly stages: readonly Stage[];
  readonly jitterMs: number;
  /** How long a document is good for; issued again in time. */
  readonly validMs: number;
  readonly gate: RolloutGate;
  readonly limits: RolloutLimits;
}

export interface Stage {
  /** Of the selected hosts, 0 to 1. */
  readonly share: number;
  /** From the moment on at which enough hosts have committed. */
  readonly soakMs: number;
}

export interface RolloutLimits {
  /** A stage holds at least so many hosts, or all. */
  readonly leastHosts: number;
  /** So many failed hosts, and more than this share of those that executed, abort. */
  readonly failedHosts: number;
  readonly failedShare: number;
  /** Of the online hosts of the stage that could, so many have to have committed. */
  readonly committedShare: number;
  /** Alarms an hour, against hosts outside the stage. */
  readonly alarmRatio: number;
  readonly alarmP: number;
  readonly leastAlarms: number;
  /** In shadow: samples that one model flags and the other doesn't. */
  readonly disagreementShare: number;
  /** In shadow: samples that are flagged (the release's own limit). */
  readonly flagShare: number;
  /** In shadow: no decision on fewer rows. */
  readonly leastRows: number;
}

const HOUR_MS = 3_600_000;

export const DEFAULT_LIMITS: RolloutLimits = {
  leastHosts: 20,
  failedHosts: 3,
  failedShare: 0.02,
  committedShare: 1,
  alarmRatio: 3,
  alarmP: 0.001,
  leastAlarms: 5,
  disagreementShare: 0.02,
  flagShare: 0.02,
  leastRows: 10_000,
};
export const DEFAULT_SHARES: Readonly<Record<RolloutMode, readonly number[]>> = {
  apply: [0.01, 0.1, 0.5, 1],
  // All hosts have tried it by then: the first stage is the canary.
  shadow: [0.1, 0.5, 1],
};
/** The last one holds for the stages after it. */
export const DEFAULT_SOAK_MS: readonly number[] = [HOUR_MS, 6 * HOUR_MS, 24 * HOUR_MS];
export const DEFAULT_VALID_MS = 7 * 24 * HOUR_MS;
export const DEFAULT_GATE: RolloutGate = {
  shadowRows: 17_280,
  probationMs: HOUR_MS,
  watchdogMs: 24 * HOUR_MS,
  timeoutMs: 6 * HOUR_MS,
};

/** A host of which anything is known. Everything in it may be false: it is what the host, or its last will, says. */
export interface KnownHost {
  readonly site: string;
  readonly hostId: string;
  /** null: there is no status of it. */
  readonly online: boolean | null;
  /** null: there is none, or it can't be read. */
  readonly reported: ReportedDocument | null;
}

export const hostKey = ({ site, hostId }: Pick<KnownHost, 'site' | 'hostId'>): string => `${site}/${hostId}`;

/** What is wrong with a plan, or null. */
export function planFault({ stages, shadowSoakMs, mode }: RolloutPlan): string | null {
  const shares = stages.map(({ share }) => share);
  if (shares.some((share) => !(share > 0 && share <= 1)))
    return 'stages: expected shares above 0, up to 100 %';
  if (shares.some((share, i) => i > 0 && share <= (shares[i - 1] as number)))
    return 'stages: expected each to be larger than the one before';
  if (shares.at(-1) !== 1) return 'stages: expected 100 % at the end';
  const soaks = [...stages.map(({ soakMs }) => soakMs), ...(mode === 'shadow' ? [shadowSoakMs] : [])];
  if (soaks.some((ms) => !(ms >= 0))) return 'soak: expected times of 0 or more';
  return null;
}

/** Positions are multiples of this (desired.ts): a fraction that lies between two holds the same hosts. */
const STEP = 2 ** -48;

/**
 * The share of the order in which hosts come that holds both the stage's share and the least number of hosts.
 * @param able ids of selected hosts that could install something now
 * @param known ids of all selected hosts: where too few are able, the stage waits for some rather than reach for all
 */
export function fractionOf(
  share: number,
  leastHosts: number,
  seed: string,
  able: readonly string[],
  known: readonly string[],
): number {
  if (share >= 1 || known.length <= leastHosts) return 1;
  const counted = able.length >= leastHosts ? able : known;
  const positions = counted.map((hostId) => cohortPosition(seed, hostId)).sort((a, b) => a - b);
  return Math.min(1, Math.max(share, (positions[leastHosts - 1] as number) + STEP));
}

/** How far a rollout has come. JSON, stored after each step. */
export interface Progress {
  readonly schemaVersion: 1;
  readonly status: 'running' | 'completed' | 'aborted';
  /** Of the newest document. */
  readonly state: RolloutState;
  readonly mode: RolloutMode;
  /** Index in the plan; in shadow, none of them has begun. */
  readonly stage: number;
  readonly fraction: number;
  /** Of the documents: the first of this rollout, the first of this stage. */
  readonly firstVersion: number;
  readonly stageVersion: number;
  readonly startedMs: number;
  readonly stageSinceMs: number;
  /** When enough hosts had committed: from here on it soaks. */
  readonly reachedMs: number | null;
  /** By host: what failed once has failed until that host commits. */
  readonly failures: Readonly<Record<string, Failure>>;
  /** The last hosts outside a stage that there were: the last stage has none. */
  readonly control: RateSide | null;
}

export interface Failure {
  readonly state: 'rejected' | 'rolled_back' | 'timed_out';
  readonly code: string;
  readonly message: string;
}

/** Incidents of a group of hosts; the host with the most of them is left out, so that no single host decides. */
export interface RateSide {
  readonly hosts: number;
  readonly alarms: number;
  readonly hours: number;
}
