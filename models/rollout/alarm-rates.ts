import type { Progress, RateSide, RolloutPlan } from './plan.ts';
import { type Interval, poissonInterval, rateRatioP } from './statistics.ts';

export interface AlarmComparison {
  readonly cohort: RateSide;
  /** Hosts outside the stage; those of an earlier stage where there are none now; null: there never were any. */
  readonly control: RateSide | null;
  readonly earlier: boolean;
  /** Alarms an hour and host, with exact 95 % intervals. */
  readonly rates: { readonly cohort: Interval; readonly control: Interval } | null;
  /** Of so many alarms or more, if the rate were just the ratio times the control's. */
  readonly p: number;
  readonly exceeds: boolean;
}

/**
 * Does the stage alarm more than `alarmRatio` times as often as hosts outside it? A conditional test of two Poisson
 * rates, exact. It asks whether the ratio is surpassed, not whether the rates differ, so that looking often (each judge
 * looks) doesn't find something in the end: at equal rates, its chance of a false alarm is far below `alarmP`.
 */
export function compareAlarms(
  { limits }: RolloutPlan,
  { control: before }: Progress,
  { cohort, control: now }: { readonly cohort: RateSide; readonly control: RateSide },
): AlarmComparison {
  const earlier = now.hours === 0 && before !== null;
  const control = now.hours > 0 ? now : before;
  if (control === null || cohort.hours === 0) {
    return { cohort, control, earlier, rates: null, p: 1, exceeds: false };
  }
  const side = ({ alarms, hours }: RateSide) => ({ count: alarms, time: hours });
  const p = rateRatioP(side(cohort), side(control), limits.alarmRatio);
  return {
    cohort,
    control,
    earlier,
    rates: { cohort: perHour(cohort), control: perHour(control) },
    p,
    exceeds: cohort.alarms >= limits.leastAlarms && p < limits.alarmP,
  };
}

export function perHour({ alarms, hours }: Pick<RateSide, 'alarms' | 'hours'>): Interval {
  const { low, high } = poissonInterval(alarms);
  return { low: low / hours, high: high / hours };
}
