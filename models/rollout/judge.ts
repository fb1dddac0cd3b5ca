import type { RolloutMode } from '../../core/protocol/trust.ts';
import { type AlarmComparison, compareAlarms } from './alarm-rates.ts';
import { collect, isAble, type StageFigures, selected } from './figures.ts';
import { type ShadowFigures, shadowGate } from './gate.ts';
import { fractionOf, hostKey, type KnownHost, type Progress, type RolloutPlan } from './plan.ts';

/** What to do next. Only `advance` and `abort` need a new document. */
export type Decision =
  | { readonly kind: 'wait' | 'hold' | 'complete'; readonly reasons: readonly string[] }
  | { readonly kind: 'abort'; readonly reasons: readonly string[] }
  | ({ readonly kind: 'advance'; readonly reasons: readonly string[] } & NextStage);

export interface NextStage {
  readonly mode: RolloutMode;
  readonly stage: number;
  readonly fraction: number;
}

export interface Judgement {
  readonly decision: Decision;
  readonly figures: Figures;
  /** What has to be kept, whatever is done. */
  readonly progress: Progress;
}

export interface Figures extends Omit<StageFigures, 'alarms'> {
  readonly alarms: AlarmComparison;
  /** null: not in shadow. */
  readonly shadow: ShadowFigures | null;
  /** Until the soak time has passed; null: not enough have committed yet. */
  readonly soakLeftMs: number | null;
}

/**
 * Judges a rollout by what is known of the fleet.
 * - abort: at least `failedHosts` hosts, and more than `failedShare` of those that executed, have failed; or the stage
 *   alarms over `alarmRatio` times as often as hosts outside it; or the release fails the gate of shadow.
 * - advance, complete: enough of the hosts that could have committed, and the soak time has passed since.
 * - hold: a person decides, or the gate of shadow is undecided. wait: time will tell.
 * @param known all hosts, each once, in any order
 */
export function judge(
  plan: RolloutPlan,
  progress: Progress,
  known: readonly KnownHost[],
  nowMs: number,
): Judgement {
  // One order: sums of fractions, and which of two hosts counts, must not depend on who was heard first.
  const hosts = known.toSorted((a, b) => (hostKey(a) < hostKey(b) ? -1 : 1));
  const { figures: stage, failures, reports } = collect(plan, progress, hosts, nowMs);
  const alarms = compareAlarms(plan, progress, stage.alarms);
  const shadow = progress.mode === 'shadow' ? shadowGate(plan.limits, reports) : null;
  const reachedMs = progress.reachedMs ?? (stage.reached ? nowMs : null);
  const soakMs = progress.mode === 'shadow' ? plan.shadowSoakMs : (plan.stages[progress.stage]?.soakMs ?? 0);
  const soakLeftMs = reachedMs === null ? null : Math.max(0, reachedMs + soakMs - nowMs);
  const figures: Figures = { ...stage, alarms, shadow, soakLeftMs };
  const control = stage.alarms.control.hours > 0 ? stage.alarms.control : progress.control;
  return {
    decision: decide(plan, progress, figures, hosts),
    figures,
    progress: progress.status === 'running' ? { ...progress, failures, reachedMs, control } : progress,
  };
}

function decide(
  plan: RolloutPlan,
  progress: Progress,
  figures: Figures,
  hosts: readonly KnownHost[],
): Decision {
  if (progress.status === 'completed') return { kind: 'complete', reasons: ['every stage is done'] };
  if (progress.status === 'aborted') return { kind: 'hold', reasons: ['it was aborted'] };
  const against = reasonsToAbort(plan, progress, figures);
  if (against.length > 0) return { kind: 'abort', reasons: against };
  if (progress.state === 'paused') return { kind: 'hold', reasons: ['it is paused'] };
  const { committed, failed, pending, reached, soakLeftMs, shadow } = figures;
  if (!reached) {
    const waiting = `${committed} of ${figures.cohort} hosts have ${progress.mode === 'apply' ? 'committed' : 'tried it'}, ${pending.working} are under way, ${pending.all - pending.working} can't be reached`;
    const lost = failed.length > 0 && committed === 0 && pending.working === 0;
    return lost
      ? {
          kind: 'hold',
          reasons: [
            `all ${failed.length} that executed have failed; fewer than ${plan.limits.failedHosts} abort nothing: decide yourself`,
          ],
        }
      : { kind: 'wait', reasons: [waiting] };
  }
  if (soakLeftMs === null || soakLeftMs > 0) return { kind: 'wait', reasons: ['it soaks'] };
  if (shadow !== null && shadow.verdict !== 'holds') return { kind: 'hold', reasons: shadow.reasons };
  const next = nextStage(plan, progress, hosts);
  if (next === null) return { kind: 'complete', reasons: [`${committed} hosts have committed`] };
  return {
    kind: 'advance',
    reasons: [
      `${committed} hosts of ${figures.cohort} have ${progress.mode === 'apply' ? 'committed' : 'tried it'}`,
    ],
    ...next,
  };
}

function reasonsToAbort({ limits }: RolloutPlan, { mode }: Progress, figures: Figures): string[] {
  const { failed, executed, alarms, shadow } = figures;
  const reasons: string[] = [];
  if (failed.length >= limits.failedHosts && failed.length > limits.failedShare * executed) {
    reasons.push(`${failed.length} of ${executed} hosts that executed have failed`);
  }
  if (mode === 'apply' && alarms.exceeds && alarms.control !== null) {
    const { cohort, control } = alarms;
    reasons.push(
      `${cohort.alarms} alarms in ${cohort.hours.toFixed(1)} hours of hosts in the stage, ${control.alarms} in ${control.hours.toFixed(1)} outside it: over ${limits.alarmRatio} times as often (p ${alarms.p.toExponential(1)})`,
    );
  }
  if (shadow?.verdict === 'fails') reasons.push(...shadow.reasons);
  return reasons;
}

/** The next stage that reaches more hosts; null: all are reached. */
export function nextStage(
  plan: RolloutPlan,
  progress: Progress,
  hosts: readonly KnownHost[],
): NextStage | null {
  if (progress.mode === 'shadow') return stageAt(plan, 0, hosts);
  if (progress.fraction >= 1) return null;
  for (let stage = progress.stage + 1; stage < plan.stages.length; stage++) {
    const next = stageAt(plan, stage, hosts);
    if (next.fraction > progress.fraction) return next;
  }
  return null;
}

function stageAt(plan: RolloutPlan, stage: number, hosts: readonly KnownHost[]): NextStage {
  const known = hosts.filter((host) => selected(plan, host) !== false);
  const able = known.filter((host) => isAble(host) && selected(plan, host) === true);
  const ids = (some: readonly KnownHost[]): string[] => some.map(({ hostId }) => hostId);
  const { share } = plan.stages[stage] as { share: number };
  return {
    mode: 'apply',
    stage,
    fraction: fractionOf(share, plan.limits.leastHosts, plan.seed, ids(able), ids(known)),
  };
}

/** Where a rollout begins: its first stage, or on every selected host in shadow. */
export const firstStage = (plan: RolloutPlan, hosts: readonly KnownHost[]): NextStage =>
  plan.mode === 'shadow' ? { mode: 'shadow', stage: 0, fraction: 1 } : stageAt(plan, 0, hosts);
