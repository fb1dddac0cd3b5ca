import type { RolloutDocument, RolloutState } from '../../core/protocol/trust.ts';
import { inCohort } from './figures.ts';
import type { NextStage } from './judge.ts';
import type { Progress, RolloutPlan } from './plan.ts';

/** How a rollout goes on, and the document that says so. Versions are given by the store, which only counts up. */

/** Of its first document. */
export const begun = (first: NextStage, version: number, nowMs: number): Progress => ({
  schemaVersion: 1,
  status: 'running',
  state: 'active',
  ...first,
  firstVersion: version,
  stageVersion: version,
  startedMs: nowMs,
  stageSinceMs: nowMs,
  reachedMs: null,
  failures: {},
  control: null,
});

export function advanced(
  plan: RolloutPlan,
  progress: Progress,
  { mode, stage, fraction }: NextStage,
  version: number,
  nowMs: number,
): Progress {
  // Who failed in shadow and isn't reached yet will say so again when it is.
  const failures = Object.fromEntries(
    Object.entries(progress.failures).filter(([key]) =>
      inCohort(plan.seed, fraction, key.slice(key.indexOf('/') + 1)),
    ),
  );
  return {
    ...progress,
    mode,
    stage,
    fraction,
    stageVersion: version,
    stageSinceMs: nowMs,
    reachedMs: null,
    failures,
  };
}

/** Pause and resume: the stage stays as it is. */
export const withState = (progress: Progress, state: Exclude<RolloutState, 'aborted'>): Progress => ({
  ...progress,
  state,
});

export const aborted = (progress: Progress): Progress => ({
  ...progress,
  status: 'aborted',
  state: 'aborted',
});

export const completed = (progress: Progress): Progress => ({ ...progress, status: 'completed' });

/**
 * What lay at the broker, and this registry did not know: its stage, where it is of this rollout; else this rollout has
 * been replaced by another.
 */
export function adopted(plan: RolloutPlan, progress: Progress, document: RolloutDocument): Progress {
  const { release, cohort, mode, state, version } = document;
  if (release.sha256 !== plan.release.sha256 || cohort.seed !== plan.seed) return aborted(progress);
  const reached = plan.stages.findLastIndex(({ share }) => share <= cohort.fraction);
  return {
    ...progress,
    status: state === 'aborted' ? 'aborted' : 'running',
    state,
    mode,
    stage: mode === 'shadow' ? 0 : Math.max(0, reached),
    fraction: cohort.fraction,
    stageVersion: version,
    reachedMs: null,
  };
}

export function documentFor(
  plan: RolloutPlan,
  { mode, fraction, state }: Progress,
  version: number,
  nowMs: number,
): RolloutDocument {
  return {
    type: 'rollout',
    schemaVersion: 1,
    fleet: plan.fleet,
    issuedAt: new Date(nowMs).toISOString(),
    expiresAt: new Date(nowMs + plan.validMs).toISOString(),
    model: plan.model,
    version,
    release: plan.release,
    baseline: plan.baseline,
    select: plan.select,
    cohort: { seed: plan.seed, fraction },
    state,
    mode,
    jitterMs: plan.jitterMs,
    gate: plan.gate,
    renews: null,
  };
}
